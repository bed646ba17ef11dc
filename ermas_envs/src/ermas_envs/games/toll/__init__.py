"""The toll game: drivers choose one of several parallel roads, under tolls that a planner has set."""
