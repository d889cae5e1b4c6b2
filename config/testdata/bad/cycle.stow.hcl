locals {
  a = local.b + 1            # ERROR: References form a cycle
  b = local.c
  c = local.a
}
