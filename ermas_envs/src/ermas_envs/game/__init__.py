"""What a game is: its engine, its batches, its tables, and the hooks that change who plays and what is paid."""
