"""The one-step economy (SPEC section 17): agents choose hours of work once, under taxes that the planner has set."""
