"""The games. No game looks at another; the two economies stand on `taxation`."""
