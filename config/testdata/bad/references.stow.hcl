locals {
  a = local.b                # ERROR: Unknown reference
  c = vr.x                   # ERROR: Unknown reference
  d = var.nope               # ERROR: Unknown reference
  e = each.key               # ERROR: Unknown reference
  f = path.cwd               # ERROR: Unknown reference
  g = module.x.y             # ERROR: Not supported yet
  h = web                    # ERROR: Unknown reference
  i = workload               # ERROR: Unknown reference
}
workload "web" {
  count    = 2
  image    = "x:${each.key}" # ERROR: Unknown reference
  networks = [network.ap]    # ERROR: Unknown reference
}
network "app" {}
