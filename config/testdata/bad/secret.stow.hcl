secret "a" { env = "NOT_SET_ANYWHERE" }         # ERROR: A secret is missing
secret "b" { file = "missing" }                 # ERROR: A secret is missing
secret "c" { command = ["false"] }              # ERROR: A secret's command failed
secret "d" {}                                   # ERROR: Missing argument
workload "w" {
  image = "x"
  env   = { A = secret.a.value, B = secret.b.value, C = secret.c.value, D = secret.d.value }
}
