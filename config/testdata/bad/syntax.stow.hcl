workload "web" {
  image = "x"
  replicas 3                                    # ERROR: Argument or block definition required
}
