---@meta _
-- Written by drrun types; do not edit.

---Name of a data center.
---@alias data_center_name string

---Name of a cluster at the primary site.
---@alias primary_cluster string

---Name of a data center at the primary site.
---@alias primary_data_center string

---Name of a network at the primary site.
---@alias primary_network string

---Name of a vNIC profile at the primary site.
---@alias primary_vnic_profile string

---Name of a cluster at the secondary site.
---@alias secondary_cluster
---| "Recovery" # data center Default

---Name of a data center at the secondary site.
---@alias secondary_data_center string

---Name of a network at the secondary site.
---@alias secondary_network string

---Name of a vNIC profile at the secondary site.
---@alias secondary_vnic_profile string

---Id of a storage domain of the plan.
---@alias storage_domain_id string

---Name of a storage domain of the plan.
---@alias storage_domain_name string

---Id of a VM of the plan.
---@alias vm_id string

---Name of a VM of the plan.
---@alias vm_name
---| "a \"quoted\" one"
---| "back\\slash" # with a # in it
---| "db1"

