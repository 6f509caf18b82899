package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// addDefaultQuota gives a data center the quota that limits nothing (ovirt-engine AddEmptyStoragePoolCommand).
func (e *engine) addDefaultQuota(dc *dataCenter) {
	e.quotas = append(e.quotas, &Quota{ID: uuidOf(dc.ID + "/quota"), Name: "Default", Description: "Default unlimited quota", DataCenterID: dc.ID,
		ClusterLimits: []QuotaLimit{{VCPUs: -1, Memory: -1}}, StorageLimits: []QuotaLimit{{Storage: -1}}})
}

// isDefault tells the quota that cannot be changed.
func (q *Quota) isDefault() bool { return q.ID == uuidOf(q.DataCenterID+"/quota") }

func quotaPath(q *Quota) string { return "/datacenters/" + q.DataCenterID + "/quotas/" + q.ID }

func writeQuota(x *xmlWriter, q *Quota) {
	href := apiRoot + quotaPath(q)
	x.open("quota", "href", href, "id", q.ID)
	x.text("name", q.Name)
	x.text("description", q.Description)
	x.links(href, "permissions", "quotaclusterlimits", "quotastoragelimits")
	x.int("cluster_hard_limit_pct", int64(cmp.Or(q.ClusterHardLimit, 20)))
	x.int("cluster_soft_limit_pct", int64(cmp.Or(q.ClusterSoftLimit, 80)))
	x.int("storage_hard_limit_pct", int64(cmp.Or(q.StorageHardLimit, 20)))
	x.int("storage_soft_limit_pct", int64(cmp.Or(q.StorageSoftLimit, 80)))
	x.ref("data_center", "datacenters", q.DataCenterID)
	x.close("quota")
}

func (c *call) routeQuotas(dc *dataCenter, s []string) *reply {
	e := c.engine
	of := slices.DeleteFunc(slices.Clone(e.quotas), func(q *Quota) bool { return q.DataCenterID != dc.ID })
	return serve(c, s, rest[*Quota]{root: "quotas", all: of, id: func(q *Quota) string { return q.ID }, write: writeQuota,
		add:    func() *reply { return c.saveQuota(&Quota{DataCenterID: dc.ID}) },
		update: c.saveQuota,
		remove: func(q *Quota) *reply { // ovirt-engine RemoveQuotaCommand
			if q.isDefault() {
				return c.refuse(defaultQuota("remove"))
			}
			e.quotas = slices.DeleteFunc(e.quotas, func(o *Quota) bool { return o == q })
			c.effect("delete quota %s", q.Name)
			c.audit(eventQuotaDeleted, "Quota %s has been deleted by %s.", q.Name, e.userName())
			return c.actionDone(nil, nil)
		},
		sub: func(q *Quota, s []string) *reply {
			switch s[0] {
			case "quotaclusterlimits":
				return c.routeLimits(q, &q.ClusterLimits, limitKind{"quota_cluster_limit", "cluster", "clusters"}, s[1:])
			case "quotastoragelimits":
				return c.routeLimits(q, &q.StorageLimits, limitKind{"quota_storage_limit", "storage_domain", "storagedomains"}, s[1:])
			case "permissions":
				return c.routePermissions(permissionPlace{kind: "quota", collection: "datacenters/" + q.DataCenterID + "/quotas", id: q.ID}, s[1:])
			}
			return nil
		}})
}

func defaultQuota(action string) *refusal {
	return bad("Cannot %s Quota. Default quota cannot be changed.", action)
}

// saveQuota adds a quota without id and updates one with it (ovirt-engine QuotaCRUDCommand, AddQuotaCommand, UpdateQuotaCommand).
func (c *call) saveQuota(q *Quota) *reply {
	e := c.engine
	doc, r := c.parse("quota")
	if r != nil {
		return c.refuse(r)
	}
	next, action := *q, "add"
	if q.ID != "" {
		action = "edit"
		if id := doc.attr("id"); id != "" && id != q.ID {
			return c.refuse(immutable("id"))
		}
	} else if doc.value("name") == "" {
		return c.refuse(incomplete("Quota", "name", "add"))
	}
	next.Name = cmp.Or(doc.value("name"), next.Name)
	if doc.child("description") != nil {
		next.Description = doc.value("description")
	}
	for _, m := range []struct {
		name string
		into *int
	}{{"cluster_hard_limit_pct", &next.ClusterHardLimit}, {"cluster_soft_limit_pct", &next.ClusterSoftLimit},
		{"storage_hard_limit_pct", &next.StorageHardLimit}, {"storage_soft_limit_pct", &next.StorageSoftLimit}} {
		if text := doc.value(m.name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return c.refuse(invalidValue(m.name, text))
			}
			*m.into = n
		}
	}
	taken := find(e.quotas, func(o *Quota) bool { return o.DataCenterID == q.DataCenterID && o.Name == next.Name && o.ID != q.ID })
	switch {
	case q.ID != "" && q.isDefault():
		return c.refuse(defaultQuota("edit"))
	case strings.ContainsFunc(next.Name, func(r rune) bool { return !unicode.IsLetter(r) && (r < '0' || r > '9') && r != '_' && r != '-' }):
		return c.refuse(bad("Quota name must be formed of 'a-z', 'A-Z', '0-9', '_' or '-' characters"))
	case taken != nil:
		return c.refuse(conflict("Cannot %s Quota. The Quota name is already in use, please choose a unique name and try again.", action))
	}
	if q.ID == "" {
		next.ID = c.lab.newID()
		next.ClusterLimits, next.StorageLimits = []QuotaLimit{{VCPUs: -1, Memory: -1}}, []QuotaLimit{{Storage: -1}}
		*q = next
		e.quotas = append(e.quotas, q)
		c.effect("add quota %s", q.Name)
		c.audit(eventQuotaAdded, "Quota %s has been added by %s.", q.Name, e.userName())
		return c.created(quotaPath(q), func(x *xmlWriter) { writeQuota(x, q) })
	}
	*q = next
	c.quotaChanged(q)
	return single(q, writeQuota)
}

func (c *call) quotaChanged(q *Quota) {
	c.effect("update quota %s", q.Name)
	c.audit(eventQuotaUpdated, "Quota %s has been updated by %s.", q.Name, c.engine.userName())
}

// limitKind is what distinguishes limits of clusters from those of storage domains.
type limitKind struct{ name, object, collection string }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// writeLimit writes a limit; its id is that of what it limits, or of the quota where it limits all together. Memory is in GiB
// (ovirt-engine QuotaMapper).
func (e *engine) writeLimit(x *xmlWriter, q *Quota, k limitKind, l QuotaLimit) {
	id := cmp.Or(l.ObjectID, q.ID)
	x.open(k.name, "href", apiRoot+quotaPath(q)+"/"+strings.ReplaceAll(k.name, "_", "")+"s/"+id, "id", id)
	if k.object == "cluster" {
		memory := float64(l.Memory)
		if l.Memory != -1 {
			memory /= 1024
		}
		x.text("memory_limit", decimal(memory))
		x.text("memory_usage", "0.0")
		x.int("vcpu_limit", int64(l.VCPUs))
		x.int("vcpu_usage", 0)
	} else {
		x.int("limit", l.Storage)
		x.text("usage", "0.0")
	}
	if l.ObjectID != "" {
		x.ref(k.object, k.collection, l.ObjectID)
	}
	x.empty("quota", "href", apiRoot+quotaPath(q), "id", q.ID)
	x.close(k.name)
}

// routeLimits serves the limits of a quota. Adding one answers 200 (ovirt-engine BackendQuotaClusterLimitsResource.add).
func (c *call) routeLimits(q *Quota, limits *[]QuotaLimit, k limitKind, s []string) *reply {
	e := c.engine
	write := func(x *xmlWriter, l QuotaLimit) { e.writeLimit(x, q, k, l) }
	return serve(c, s, rest[QuotaLimit]{root: k.name + "s", all: *limits, id: func(l QuotaLimit) string { return cmp.Or(l.ObjectID, q.ID) }, write: write,
		add: func() *reply {
			doc, r := c.parse(k.name)
			if r != nil {
				return c.refuse(r)
			}
			l := QuotaLimit{ObjectID: doc.child(k.object).attr("id"), Memory: -1, VCPUs: -1, Storage: -1}
			for _, name := range []string{"limit", "memory_limit", "vcpu_limit"} {
				text := doc.value(name)
				if text == "" {
					continue
				}
				v, err := strconv.ParseFloat(text, 64)
				switch {
				case err != nil:
					return c.refuse(invalidValue(name, text))
				case name == "limit":
					l.Storage = int64(v)
				case name == "vcpu_limit":
					l.VCPUs = int(v)
				case v >= 0:
					l.Memory = int64(v * 1024)
				}
			}
			global := slices.ContainsFunc(*limits, func(o QuotaLimit) bool { return o.ObjectID == "" })
			switch {
			case q.isDefault():
				return c.refuse(defaultQuota("edit"))
			case len(*limits) > 0 && global != (l.ObjectID == ""):
				return c.refuse(conflict("Cannot edit Quota. Limitation can not be configured as specific and general for the same Quota. Please choose whether the limitation should be enforced on the Data Center (global) or for specific storage domain or cluster."))
			case l.ObjectID != "" && (k.object == "cluster" && e.cluster(l.ObjectID) == nil || k.object != "cluster" && e.domain(l.ObjectID) == nil):
				return c.refuse(vdsm("Internal Engine Error"))
			}
			*limits = append(slices.DeleteFunc(slices.Clone(*limits), func(o QuotaLimit) bool { return o.ObjectID == l.ObjectID }), l)
			c.quotaChanged(q)
			return single(l, write)
		},
		remove: func(l QuotaLimit) *reply {
			if q.isDefault() {
				return c.refuse(defaultQuota("edit"))
			}
			*limits = slices.DeleteFunc(slices.Clone(*limits), func(o QuotaLimit) bool { return o.ObjectID == l.ObjectID })
			c.quotaChanged(q)
			return c.actionDone(nil, nil)
		}})
}
