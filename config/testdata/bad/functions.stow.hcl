locals {
  a = timestamp()                               # ERROR: Error in function call
  b = file("../outside")                        # ERROR: Error in function call
  c = file("/etc/passwd")                       # ERROR: Error in function call
  d = nofunc()                                  # ERROR: Call to unknown function
  e = file("missing.txt")                       # ERROR: Error in function call
  f = upper(1, 2)                               # ERROR: Too many function arguments
}
