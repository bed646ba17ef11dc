"""The paper's figures and the measurements behind the defaults, each one command: `ermas reproduce NAME`."""
