def collect(p):
    return "TODO"
