variable "s" {
  sensitive = true
  default   = "hunter2!"
}
secret "db" { env = "DB_PASSWORD" }
locals {
  both = [var.s, "x"]
}
host "a" { address = var.s }                    # ERROR: Sensitive value where it would be shown
host "b" { labels = { x = "a-${secret.db.value}" } } # ERROR: Sensitive value where it would be shown
workload "web" {
  image    = "x:${var.s}"                       # ERROR: Sensitive value where it would be shown
  command  = local.both                         # ERROR: Sensitive value where it would be shown
  replicas = parseint(var.s, 10)                # ERROR: Invalid function argument
  labels   = { n = tonumber(secret.db.value) }  # ERROR: Invalid function argument
  env      = { A = secret.db.value }
}
workload "each" {
  for_each = toset([var.s])                     # ERROR: Sensitive value where it would be shown
  image    = "x"
}
output "o" { value = local.both }               # ERROR: Sensitive value where it would be shown
