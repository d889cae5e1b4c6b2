variable "n" {
  type    = number
  default = "x"                                 # ERROR: Wrong type
}
variable "t" {
  type = strng                                  # ERROR: Invalid type specification
}
