"""The paper's figures and the measurements behind the defaults: a study, its tables and its picture, side by side."""
