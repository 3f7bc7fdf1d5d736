"""Kill runs at random, give the same command again, compare the end with an undisturbed run's."""
