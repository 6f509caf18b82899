--@ exit 0
--@ started vm1 | vm2 vm3
-- A plan that asks nobody: the array is promoted, replicated back and looked after by a library of the site team, and so are the names,
-- the load balancer, the database and those who want to know. Each library says at its head what it needs.
local dr = require "dr"

local plan = dr.plan {
  name = "Plan_Recovery",

  sites = {
    primary   = { url = "https://engine1.localdomain/ovirt-engine/api", username = "admin@internal",
                  password = dr.secret "primary_password", ca_file = "primary-ca.pem" },
    secondary = { url = "https://engine2.localdomain/ovirt-engine/api", username = "admin@ovirt@internal",
                  password = dr.secret "secondary_password", ca_file = "secondary-ca.pem" },
  },

  storage_domains = {
    { name = "nfs_ds", id = "a3c68f70-dff9-4bb2-86a2-f7fe4a597db9", type = "nfs",
      primary   = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds" },
      secondary = { data_center = "Default", url = "nfs://192.168.122.210:/nfs_ds_replica" } },
  },

  mappings = {
    clusters = {
      { primary = "Prod", secondary = "Recovery" }, -- the only cluster there
    },
    vnic_profiles = {
      { primary   = { data_center = "Default", network = "lan", profile = "lan" },
        secondary = { data_center = "Default", network = "lan", profile = "lan" } },
    },
  },

  templates = {
    { name = "rhel9", id = "78dd2813-044b-4741-b7e4-50edbcab98c2" },
  },

  vms = {
    { name = "vm1", id = "bc006e5f-ad2e-4023-b5d5-5fc6f58df77c", rank = 0, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm2", id = "5d0b3066-7302-42e9-b120-a0ca635385cb", rank = 1, boot = dr.boot.guest_agent { timeout = "5m" } },
    { name = "vm3", id = "950ce436-249f-421b-9d8f-c78436e6bf82", rank = 1, boot = dr.boot.wait "60s" },
  },
}

plan:use(require "site.array_rest" {
  primary   = { url = "https://array1.localdomain", user = "drrun", password = dr.secret "primary_array_password", ca_file = "primary-ca.pem" },
  secondary = { url = "https://array2.localdomain", user = "drrun", password = dr.secret "secondary_array_password", ca_file = "secondary-ca.pem" },
})

plan:use(require "site.dns_switch" {
  server = "dns.localdomain:53", zone = "example.com", key = { name = "drrun", secret = dr.secret "dns_key" },
  records = { vm2 = { name = "www", primary = "10.0.0.10", secondary = "10.1.0.10" } },
})

plan:use(require "site.balancer" {
  url = "http://balancer.localdomain", token = dr.secret "balancer_token", pool = "shop",
  members = { vm2 = { primary = "10.0.0.10:443", secondary = "10.1.0.10:443" } },
})

plan:use(require "site.database" {
  key_file = "database-key", port = 22,
  databases = { vm1 = { host = "db.localdomain", query = "select not pg_is_in_recovery()" } },
})

plan:use(require "site.tell" {
  channel = dr.secret "chat_url", mail_server = "mail.localdomain:25", mail_to = { "oncall@example.com" }, log_server = "log.localdomain:514",
})

return plan
