77 0: anything
10 0:
