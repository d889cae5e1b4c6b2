workload "a" {
  image      = "x"
  depends_on = [workload.b]  # ERROR: References form a cycle
}
workload "b" {
  image      = "x"
  depends_on = [workload.a]
}
