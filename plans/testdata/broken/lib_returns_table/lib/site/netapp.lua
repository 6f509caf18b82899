return {
  name = "netapp",
  hooks = { promote_storage = function() end },
}
