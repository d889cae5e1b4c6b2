stowage {
  fleet = "shop-${host.a.name}"                 # ERROR: Reference not possible here
}
host "a" {}
