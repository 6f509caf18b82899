local dr = require "dr"

return dr.plan {
  name = "LUNs",
  sites = {
    primary   = { url = "https://engine1.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "primary_password" },
    secondary = { url = "https://engine2.example/ovirt-engine/api", username = "admin@internal", password = dr.secret "secondary_password" },
  },
  storage_domains = {
    { name = "good", id = "00000005-0000-4000-8000-000000000001", type = "iscsi",
      primary   = { data_center = "Plant", targets = { "10.0.0.1:3260/iqn.x:a", "[FD00::1]:3260/IQN.x:a" }, luns = { "3600a" } },
      secondary = { data_center = "Plant", targets = { { target = "10.1.0.1:3260/iqn.x:b", username = "drrun", password = dr.secret "chap" } }, luns = { "3600b" } } },
    { name = "fc", id = "00000005-0000-4000-8000-000000000002", type = "fcp",
      primary   = { data_center = "Plant", luns = { "3600c", "3600c" } },
      secondary = { data_center = "Plant", luns = { "3600a", "3600c" } } },
    { name = "keys", id = "00000005-0000-4000-8000-000000000003", type = "fcp",
      primary   = { data_center = "Plant", targets = { "10.0.0.9:3260/iqn.x:z" }, url = "nfs://srv:/x" },
      secondary = { data_center = "Plant", vfs_type = "ceph", nfs_version = "v4" } },
    { name = "targets", id = "00000005-0000-4000-8000-000000000004", type = "iscsi",
      primary   = { data_center = "Plant" },
      secondary = { data_center = "Plant", targets = {} } },
    { name = "chap", id = "00000005-0000-4000-8000-000000000005", type = "iscsi",
      primary   = { data_center = "Plant", targets = { { target = "10.0.0.2:3260/iqn.x:c", username = "u" }, { target = "10.0.0.3:3260/iqn.x:c", password = dr.secret "p" } } },
      secondary = { data_center = "Plant", targets = { "10.0.0.2:3260/iqn.x:c", "10.1.0.2:3260/iqn.x:d", "10.1.0.2:3260/iqn.x:d", "10.1.0.2/iqn.x:d", "10.1.0.2:0/iqn.x:d", "10.1.0.2:3260/x" } } },
    { name = "ceph", id = "00000005-0000-4000-8000-000000000006", type = "posixfs",
      primary   = { data_center = "Plant", url = "posixfs://mon1:6789,[fd00::2]:6789:/ceph", vfs_type = "ceph" },
      secondary = { data_center = "Plant", url = "posixfs://mon3:6789,mon4:67890:/ceph" } },
    { name = "gluster", id = "00000005-0000-4000-8000-000000000007", type = "glusterfs", upgrade_format = true,
      primary   = { data_center = "Plant", url = "glusterfs://g1:/v", nfs_version = "v4" },
      secondary = { data_center = "Plant", url = "glusterfs://g2:/v", mount_options = "log-level=INFO,secret=hunter2", luns = { "3600f" } } },
  },
  mappings = {
    luns = {
      { primary = "3600d", secondary = { id = "3600e", targets = { "10.1.0.1:3260/iqn.x:b" } } },
      { primary = "3600d", secondary = "3600h" },
      { primary = "3600b", secondary = "3600i" },
      { primary = "3600g" },
      { primary = "3600k", optional = true },
      { primary = "3600l", secondary = dr.todo "which LUN?" },
    },
  },
  vms = {},
}
