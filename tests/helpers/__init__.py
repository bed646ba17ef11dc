"""What tests share; on the path of the tests and of the processes that they start."""
