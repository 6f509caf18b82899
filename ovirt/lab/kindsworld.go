package lab

import (
	"fmt"
	"strings"
	"time"
)

// The portals of the two arrays, and what CHAP asks for where a world uses it.
const (
	CHAPUsername = "drrun-lab"
	CHAPPassword = "lab-chap-password"
	sanOfPrimary = "192.168.122.211"
	sanOfSecond  = "192.168.122.221"
)

// addReplicated adds to a world a place of a storage type for a storage domain of that name, its replica at the other site, and the
// replication between them. It returns the domain, without a data center. NFS exports keep the names that they have had from the
// beginning; LUN sets are called NAME and NAME_replica.
func (w *World) addReplicated(kind, name string, lag time.Duration) StorageDomain {
	d := StorageDomain{ID: uuidOf("domain/" + name), Name: name, Format: "v5"}
	if kind == kindISCSI || kind == kindFCP {
		d.LUNSet = name
		w.addLUNs("primary", kind, name, 2)
		w.addLUNs("secondary", kind, name+"_replica", 2)
		w.Replications = append(w.Replications, Replication{Domain: name, Lag: lag, Source: name, Target: name + "_replica"})
		return d
	}
	x := Export{Site: "primary", Address: arrayAddress, Path: "/" + name, Size: 1024 * gib}
	switch kind {
	case kindGluster:
		x.Type, x.Address = kindGluster, "gluster1.localdomain"
	case kindPOSIX:
		// The monitors' ports are part of what is mounted: the engine shows such a specification mutilated.
		x.Type, x.VFSType, x.Address = kindPOSIX, "ceph", "mon1.localdomain:6789,mon2.localdomain:6789"
	}
	replica := x
	replica.Site, replica.Path = "secondary", x.Path+"_replica"
	d.Address, d.Path = x.Address, x.Path
	w.Exports = append(w.Exports, x, replica)
	w.Replications = append(w.Replications, Replication{Domain: name, Lag: lag, Source: x.name(), Target: replica.name()})
	return d
}

// addLUNs adds a set of LUNs, for iSCSI behind a target of its own that has two portals.
func (w *World) addLUNs(site, kind, name string, luns int) *LUNSet {
	s := LUNSet{Site: site, Name: name, Type: kind}
	if kind == kindISCSI {
		address := map[string]string{"primary": sanOfPrimary, "secondary": sanOfSecond}[site]
		s.Target = targetName(site, name)
		w.Targets = append(w.Targets, Target{Site: site, Name: s.Target,
			Portals: []string{address + ":3260", strings.Replace(address, ".122.", ".123.", 1) + ":3260"}})
	}
	for i := range luns {
		id := strings.ReplaceAll(uuidOf(fmt.Sprintf("lun/%s/%s/%d", site, name, i)), "-", "")
		s.LUNs = append(s.LUNs, LUN{ID: "36001405" + id[:25], Serial: "SLIO-ORG_" + name + "_" + id, Vendor: "LIO-ORG", Product: name, Size: 512 * gib, Number: i})
	}
	w.LUNSets = append(w.LUNSets, s)
	return &w.LUNSets[len(w.LUNSets)-1]
}

func targetName(site, set string) string {
	return "iqn.2003-01.org.linux-iscsi." + site + ":" + strings.ReplaceAll(set, "_", "-")
}
