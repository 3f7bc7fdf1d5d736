"""What the program tells who started it; horovodrun turns every code but 0 into 1."""

OK = 0
FAILED = 1
REFUSED = 2  # bad input; nothing was lost
INTERRUPTED = 3  # asked to stop; the same command goes on
UNREAD = 141  # nobody reads what is printed: as a program that SIGPIPE ends
