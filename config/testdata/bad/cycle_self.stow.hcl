workload "a" {
  image      = "x"
  depends_on = [workload.a]  # ERROR: References form a cycle
}
