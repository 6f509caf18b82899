"""Fills the mapping file that the role generated, as its comments ask a person to do: what the secondary site calls the things.
The names at the secondary site follow from those at the primary one by a table; profiles are looked up by name."""
import json
import os
import sys

import yaml

from judge import SECONDARY, connect

path, names = sys.argv[1], json.loads(sys.argv[2])
with open(path) as file:
    mapping = yaml.safe_load(file)

for key, variable in (("url", "URL"), ("username", "USERNAME"), ("ca_file", "CA")):
    mapping["dr_sites_secondary_" + key] = os.environ["LAB_SECONDARY_" + variable]

for domain in mapping["dr_import_storages"]:
    domain["dr_secondary_name"] = domain["dr_primary_name"]
    domain["dr_secondary_dc_name"] = names[domain["dr_primary_dc_name"]]
    # Booleans, not the strings of the role's example: "False" would count as true.
    domain["dr_secondary_master_domain"] = domain["dr_primary_dc_name"] in names["uninitialized"]
    for key in "path", "address", "port", "target", "vfs_type":
        if "dr_primary_" + key in domain:
            value = domain["dr_primary_" + key]
            domain["dr_secondary_" + key] = [names.get(v, v) for v in value] if isinstance(value, list) else names.get(value, value)

for kind in "cluster", "affinity_group", "affinity_label", "domain":
    for row in mapping["dr_%s_mappings" % kind] or []:
        row["secondary_name"] = names.get(row["primary_name"], row["primary_name"])

with connect(SECONDARY) as connection:
    system = connection.system_service()
    dcs = {dc.id: dc.name for dc in system.data_centers_service().list()}
    networks = {network.id: network for network in system.networks_service().list()}
    profiles = {}
    for profile in system.vnic_profiles_service().list():
        network = networks[profile.network.id]
        profiles[profile.name, network.name, dcs[network.data_center.id]] = profile.id
with connect() as connection:
    system = connection.system_service()
    primary = {profile.id: dcs_name for dcs_name, profile in (
        (connection.follow_link(connection.follow_link(profile.network).data_center).name, profile)
        for profile in system.vnic_profiles_service().list())}
for row in mapping["dr_network_mappings"]:
    row["primary_network_dc"] = primary[row["primary_profile_id"]]
    row["secondary_network_dc"] = names[row["primary_network_dc"]]
    row["secondary_network_name"], row["secondary_profile_name"] = row["primary_network_name"], row["primary_profile_name"]
    row["secondary_profile_id"] = profiles[row["secondary_profile_name"], row["secondary_network_name"], row["secondary_network_dc"]]

with open(path, "w") as file:
    yaml.safe_dump(mapping, file, sort_keys=False)
