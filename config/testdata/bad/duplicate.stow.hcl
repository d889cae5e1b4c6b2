host "a" {}
host "a" {}                  # ERROR: Declared twice
locals { x = 1 }
locals { x = 2 }             # ERROR: Declared twice
variable "v" { default = 1 }
variable "v" { default = 1 } # ERROR: Declared twice
