package lab

import "time"

var adminStories = []story{
	{name: "hosts", calls: []endpoint{
		{method: "POST", path: "hosts/{h1}/refresh", status: 200, body: "<action/>", has: []string{"host@id={h1}"}, after: "events?search=type%3D606: event"},
		{method: "POST", path: "hosts/{h1}/activate", status: 409, body: "<action/>", has: []string{"fault/detail=[Cannot activate Host. Host in Up status.]"}},
		{method: "PUT", path: "hosts/{h2}", status: 200, body: "<host><comment>c</comment><spm><priority>-1</priority></spm></host>", has: []string{"comment=c", "spm/priority=-1"}, after: "hosts/{h2}: spm/priority=-1"},
		{method: "PUT", path: "hosts/{h2}", status: 400, body: "<host><spm><priority>11</priority></spm></host>"},
		{method: "PUT", path: "hosts/{h2}", status: 501, body: "<host><address>elsewhere</address></host>"},
		{method: "POST", path: "hosts/{h2}/forceselectspm", status: 400, body: "<action/>"},
		{method: "PUT", path: "hosts/{h2}", status: 200, body: "<host><spm><priority>7</priority></spm></host>"},
		{method: "POST", path: "hosts/{h1}/forceselectspm", status: 409, body: "<action/>"},
		{method: "POST", path: "hosts/{h2}/forceselectspm", status: 200, body: "<action/>", before: "hosts/{h1}: spm/status=spm", pass: time.Minute, after: "hosts/{h2}: spm/status=spm; hosts/{h1}: spm/status=none; events?search=type%3D204: event"},
		{method: "POST", path: "hosts/{h1}/commitnetconfig", status: 200, body: "<action/>", after: "events?search=type%3D1104: event"},
		{method: "POST", path: "hosts/{h1}/upgradecheck", status: 200, body: "<action/>", pass: time.Minute, after: "events?search=type%3D885: event"},
		{method: "POST", path: "hosts/{h2}/deactivate", status: 200, body: "<action><reason>r</reason></action>", before: "hosts/{h2}: status=up", has: []string{"reason=r"},
			after: "hosts/{h2}: status=preparing_for_maintenance"},
		{method: "GET", path: "hosts/{h2}", status: 200, pass: 2 * time.Minute, after: "hosts/{h2}: status=maintenance; hosts/{h1}: spm/status=spm; vms/{vm1}: status=up; vms/{vm1}: host@id={h1}; events?search=type%3D15: event"},
		{method: "POST", path: "hosts/{h2}/deactivate", status: 409, body: "<action/>"},
		{method: "POST", path: "hosts/{h1}/deactivate", status: 409, body: "<action/>"},
		{method: "POST", path: "hosts/{h2}/activate", status: 200, body: "<action/>", after: "hosts/{h2}: status=unassigned"},
		{method: "GET", path: "hosts/{h2}", status: 200, pass: time.Minute, after: "hosts/{h2}: status=up; events?search=type%3D13: event"},
		{method: "POST", path: "hosts/{h1}/fence", status: 200, body: "<action><fence_type>status</fence_type></action>", has: []string{"power_management/status=on", "status=complete"}},
		{method: "POST", path: "hosts/{h1}/fence", status: 409, body: "<action><fence_type>stop</fence_type></action>"},
		{method: "POST", path: "hosts/{h1}/fence", status: 409, body: "<action><fence_type>manual</fence_type></action>"},
		{method: "POST", path: "hosts/{h1}/fence", status: 400, body: "<action/>", has: []string{"reason=Incomplete parameters"}},
		{method: "POST", path: "hosts/{h1}/fenceagents", status: 201, keep: "agent", body: "<agent><type>redfish</type><address>bmc2</address><username>u</username><password>p</password><order>2</order></agent>", has: []string{"type=redfish", "!password"}},
		{method: "PUT", path: "hosts/{h1}/fenceagents/{agent}", status: 200, body: "<agent><port>443</port></agent>", has: []string{"port=443"}},
		{method: "DELETE", path: "hosts/{h1}/fenceagents/{agent}", status: 200, after: "hosts/{h1}/fenceagents: !agent@id={agent}"},
	}},
	{name: "data centers", calls: []endpoint{
		{method: "POST", path: "datacenters/{dc}/setmaster", status: 409, body: `<action><storage_domain id="{nfs_ds}"/></action>`},
		{method: "POST", path: "datacenters/{dc}/setmaster", status: 400, body: `<action><storage_domain id="{iso}"/></action>`},
		{method: "POST", path: "datacenters/{dc}/setmaster", status: 200, body: `<action><storage_domain id="{fcp_ds}"/></action>`, before: "datacenters/{dc}/storagedomains/{nfs_ds}: master=true",
			pass: time.Minute, after: "datacenters/{dc}/storagedomains/{fcp_ds}: master=true; datacenters/{dc}/storagedomains/{nfs_ds}: master=false; datacenters/{dc}: status=up"},
		{method: "POST", path: "datacenters/{dc}/cleanfinishedtasks", status: 200, body: "<action/>", after: "events?search=type%3D9031: event"},
		{method: "GET", path: "options/PropagateDiskErrors?version=4.7", status: 200, has: []string{"values/system_option_value/value=false", "values/system_option_value/version=4.7"}},
		{method: "GET", path: "options/OvfUpdateIntervalInMinutes", status: 200, has: []string{"values/system_option_value/version=general"}},
		{method: "GET", path: "options/Nonsense", status: 404},
		{method: "GET", path: "", status: 200},
	}},
	{name: "external status, dismissed events, NICs", calls: []endpoint{
		{method: "POST", path: "events", status: 201, keep: "event", body: `<event><origin>dr</origin><severity>error</severity><custom_id>1</custom_id><custom_data>x</custom_data><flood_rate>5</flood_rate><description>bad</description><host id="{h1}"><external_status>failure</external_status></host></event>`,
			has: []string{"code=9803", "custom_data=x", "flood_rate=5"}, after: "hosts/{h1}: external_status=failure"},
		{method: "DELETE", path: "events/{event}", status: 200, after: "events/{event}: 404"},
		{method: "POST", path: "events/undelete", status: 200, body: "<action/>", has: []string{"status=complete"}, after: "events/{event}: custom_data=x"},
		{method: "POST", path: "vms/{vm2}/nics", status: 201, keep: "nic", body: `<nic><name>nic9</name><vnic_profile id="{profile1}"/></nic>`, has: []string{"mac/address"}, after: "vms/{vm2}/nics: nic@id={nic}"},
		{method: "POST", path: "vms/{vm2}/nics", status: 409, body: `<nic><name>nic9</name></nic>`},
		{method: "POST", path: "vms/{vm2}/nics", status: 400, body: `<nic/>`},
		{method: "DELETE", path: "vms/{vm1}/nics/{nic1}", status: 409},
		{method: "DELETE", path: "vms/{vm2}/nics/{nic}", status: 200, after: "vms/{vm2}/nics/{nic}: 404"},
	}},
	{name: "roles, users, permissions", calls: []endpoint{
		{method: "POST", path: "roles", status: 201, keep: "role", body: `<role><name>starter</name><administrative>false</administrative><permits><permit id="22"/></permits></role>`},
		{method: "GET", path: "roles/{role}", status: 200, has: []string{"name=starter", "mutable=true"}},
		{method: "POST", path: "users", status: 201, keep: "user", body: `<user><user_name>operator@internal-authz</user_name><domain><name>internal-authz</name></domain></user>`},
		{method: "GET", path: "users/{user}", status: 200, has: []string{"user_name=operator@internal-authz"}},
		{method: "POST", path: "vms/{vm1}/permissions", status: 201, keep: "permission", body: `<permission><role id="{role}"/><user id="{user}"/></permission>`, after: "vms/{vm1}/permissions: permission/user@id={user}"},
		{method: "DELETE", path: "vms/{vm1}/permissions/{permission}", status: 200, after: "vms/{vm1}/permissions: !permission@id={permission}"},
		{method: "POST", path: "permissions", status: 201, body: `<permission><role id="{role}"/><user id="{user}"/></permission>`},
		{method: "DELETE", path: "users/{user}", status: 200, after: "users/{user}: 404"},
		{method: "DELETE", path: "roles/{role}", status: 200, after: "roles/{role}: 404"},
	}, edit: func(w *World) {
		p, _ := w.Site("primary")
		p.AAADomains = []AAADomain{{Name: ownDomain, Users: []DirectoryUser{{ID: uuidOf("user/operator"), Login: "operator"}}}}
	}},
	{name: "MAC pools and quotas", calls: []endpoint{
		{method: "POST", path: "macpools", status: 201, keep: "mp", body: `<mac_pool><name>p2</name><ranges><range><from>56:6f:09:00:00:00</from><to>56:6f:09:00:00:ff</to></range></ranges></mac_pool>`, has: []string{"default_pool=false"}},
		{method: "PUT", path: "macpools/{mp}", status: 200, body: `<mac_pool><description>d</description></mac_pool>`, has: []string{"description=d"}},
		{method: "DELETE", path: "macpools/{pool}", status: 409},
		{method: "DELETE", path: "macpools/{mp}", status: 200, after: "macpools/{mp}: 404"},
		{method: "POST", path: "datacenters/{dc}/quotas", status: 201, keep: "quota", body: `<quota><name>q</name></quota>`},
		{method: "PUT", path: "datacenters/{dc}/quotas/{quota}", status: 200, body: `<quota><description>d</description></quota>`, has: []string{"description=d"}},
		{method: "POST", path: "datacenters/{dc}/quotas/{quota}/quotaclusterlimits", status: 200, body: `<quota_cluster_limit><vcpu_limit>8</vcpu_limit><memory_limit>16.0</memory_limit></quota_cluster_limit>`, has: []string{"vcpu_limit=8"}},
		{method: "POST", path: "datacenters/{dc}/quotas/{quota}/quotastoragelimits", status: 200, body: `<quota_storage_limit><limit>100</limit></quota_storage_limit>`, has: []string{"limit=100"}},
		{method: "DELETE", path: "datacenters/{dc}/quotas/{quota}", status: 200, after: "datacenters/{dc}/quotas/{quota}: 404"},
	}},
	{name: "registration", site: "secondary", edit: func(w *World) {
		p, _ := w.Site("primary")
		loose := p.VMs[1].Disks[0]
		loose.ID, loose.Alias, loose.Bootable = uuidOf("disk/loose"), "loose", false
		p.VMs[1].Disks = append(p.VMs[1].Disks, loose)
	}, start: func(r *rig, ids map[string]string) {
		r.get("primary", "")
		r.want(200, "", "primary", "DELETE", "/vms/"+vmID(2)+"/diskattachments/"+uuidOf("disk/loose"), "")
		r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/updateovfstore", "<action/>")
		r.clock.pass(time.Minute)
		r.ok(r.lab.Disaster("primary"))
		r.ok(r.lab.Promote("nfs_ds"))
		r.takeOver()
		ids["sd"], ids["loose"], ids["vm1"], ids["disk1"], ids["template"], ids["disk3"] = dsID, uuidOf("disk/loose"), vmID(1), uuidOf("disk/vm1"), rhelID, ""
		for _, n := range r.get("secondary", "/storagedomains/"+dsID+"/disks?unregistered=true").children {
			if n.value("alias") == "vm3_Disk1" {
				ids["disk3"] = n.attrs["id"]
			}
		}
	}, calls: []endpoint{
		{method: "GET", path: "storagedomains/{sd}/vms?unregistered=true", status: 200, has: []string{"vm@id={vm1}"}},
		{method: "GET", path: "storagedomains/{sd}/vms/{vm1}", status: 404},
		{method: "GET", path: "storagedomains/{sd}/templates?unregistered=true", status: 200, has: []string{"template@id={template}"}},
		{method: "GET", path: "storagedomains/{sd}/disks?unregistered=true", status: 200, has: []string{"disk@id={loose}", "disk@id={disk3}", "!disk/actions"}},
		{method: "GET", path: "datacenters/{dc}/storagedomains/{sd}/disks?unregistered=true", status: 200, has: []string{"disk@id={loose}"}},
		{method: "POST", path: "datacenters/{dc}/storagedomains/{sd}/disks/{zero}/register", status: 404, body: "<action/>"},
		{method: "POST", path: "datacenters/{dc}/storagedomains/{sd}/disks/{loose}/register", status: 200, body: "<action/>", has: []string{"status=complete"}, before: "disks/{loose}: 404",
			after: "disks/{loose}: status=ok; events?search=type%3D378: event"},
		{method: "POST", path: "datacenters/{dc}/storagedomains/{sd}/disks/{loose}/register", status: 404, body: "<action/>"},
		{method: "POST", path: "storagedomains/{sd}/vms/{vm1}/register", status: 400, body: `<action><cluster id="{cluster}"/></action>`},
		{method: "POST", path: "storagedomains/{sd}/templates/{template}/register", status: 200, body: `<action><cluster id="{cluster}"/></action>`, before: "templates/{template}: 404", pass: time.Minute, after: "templates/{template}: status=ok; events?search=type%3D180: event"},
		{method: "POST", path: "storagedomains/{sd}/vms/{vm1}/register", status: 200, body: `<action><cluster id="{cluster}"/></action>`, before: "vms/{vm1}: 404",
			after: "vms/{vm1}: status=down; vms/{vm1}/snapshots: snapshot/snapshot_type=regular; storagedomains/{sd}/vms?unregistered=true: !vm@id={vm1}; events?search=type%3D174: event/vm@id={vm1}"},
		{method: "POST", path: "storagedomains/{sd}/disks?unregistered=true", status: 201, body: `<disk id="{disk3}"><alias>kept</alias></disk>`, has: []string{"alias=kept"}, after: "disks/{disk3}: alias=kept"},
		{method: "POST", path: "vms/{vm1}/diskattachments", status: 201, body: `<disk_attachment><bootable>false</bootable><interface>virtio</interface><disk id="{loose}"/></disk_attachment>`},
	}},
}
