job "migrate" {
  image      = "x"
  depends_on = [workload.db] # ERROR: References form a cycle
}
workload "db" {
  image      = "x"
  depends_on = [job.migrate]
}
