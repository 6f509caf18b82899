package plans

import (
	"fmt"
	"slices"
	"strings"
)

// What is wrong with the storage of a plan, as far as its table tells.

// fileType reports whether domains of a storage type lie on a file server, so that a url names their place.
func fileType(storageType string) bool {
	return storageType == StorageNFS || storageType == StorageGlusterFS || storageType == StoragePOSIX
}

func (s *semantics) domains() {
	if s.plan.StorageDomains != nil && len(s.plan.StorageDomains) == 0 {
		s.add(s.at("storage_domains"), "no-storage-domain", "name at least one, like those that drrun generate writes", "the plan has no storage domain: nothing could be recovered")
	}
	ids, names := s.unique("storage_domains"), s.unique("storage_domains")
	places := &placesTaken{s: s, at: map[string]map[string]int{Primary: {}, Secondary: {}}}
	for i := range s.plan.StorageDomains {
		d := &s.plan.StorageDomains[i]
		n := i + 1
		ids.add("duplicate-id", "storage domain id", strings.ToLower(d.ID), n, "storage_domains", n, "id")
		names.add("duplicate-name", "storage domain name", d.Name, n, "storage_domains", n, "name")
		s.id("storage domain", d.ID, "storage_domains", n, "id")
		for _, name := range []string{Primary, Secondary} {
			s.domainSide(d, d.side(name), n, name)
		}
	}
	// The primary places first, so that it is the replica that is said to be in the wrong place.
	for _, name := range []string{Primary, Secondary} {
		for i := range s.plan.StorageDomains {
			places.take(&s.plan.StorageDomains[i], i+1, name)
		}
	}
}

// side is Side, to be changed.
func (d *StorageDomain) side(site string) *DomainSide {
	if site == Secondary {
		return &d.Secondary
	}
	return &d.Primary
}

// placesTaken finds places that two storage domains have, or a domain and its replica.
type placesTaken struct {
	s  *semantics
	at map[string]map[string]int // index of the domain by site and place
}

func (p *placesTaken) take(d *StorageDomain, n int, site string) {
	side := d.Side(site)
	if side.Place.Path != "" {
		p.add(d, n, site, side.Place.String(), "its own export", "storage_domains", n, site, "url")
	}
	for i, id := range side.LUNs {
		if id != "" {
			p.add(d, n, site, "LUN "+id, "its own LUN", "storage_domains", n, site, "luns", i+1)
		}
	}
	// LUNs of several domains can be behind one target; the original and the replica are not.
	for i, t := range side.Targets {
		key := "target " + t.String()
		if site == Primary {
			p.at[Primary][key] = n
		} else if at := p.at[Primary][key]; at > 0 {
			p.samePlace(d, n, at, "a target of its own", "storage_domains", n, site, "targets", i+1)
		}
	}
}

func (p *placesTaken) add(d *StorageDomain, n int, site, key, own string, path ...any) {
	if site == Secondary {
		if at := p.at[Primary][key]; at > 0 {
			p.samePlace(d, n, at, own, path...)
		}
	}
	if first := p.at[site][key]; first > 0 {
		p.s.add(p.s.at(path...), "storage-twice", "name each storage domain once", "storage_domains[%d] has this place already", first)
		return
	}
	p.at[site][key] = n
}

func (p *placesTaken) samePlace(d *StorageDomain, n, at int, own string, path ...any) {
	text := fmt.Sprintf("is the primary place of storage_domains[%d] too", at)
	if at == n {
		text = "is the primary one too"
	}
	p.s.add(p.s.at(path...), "storage-same-place", "name the replica: "+own, "the secondary place of %q %s: a domain and its replica cannot be in one place", d.Name, text)
}

// domainSide finds what is wrong with one side of a storage domain, and parses its place.
func (s *semantics) domainSide(d *StorageDomain, side *DomainSide, n int, name string) {
	if !slices.Contains(storageTypes, d.Type) {
		return // said already
	}
	for _, key := range side.given {
		if s.foreignKey(d.Type, key) {
			s.add(s.at("storage_domains", n, name, key), "unknown-argument", "remove it", "storage domain %q: a domain of type %s has no %s", d.Name, d.Type, key)
		}
	}
	if _, hidden := withoutSecrets(side.MountOptions); hidden {
		s.add(s.at("storage_domains", n, name, "mount_options"), "secret-in-clear", "keep it in a file on the hosts: secretfile=FILE for Ceph, credentials=FILE for CIFS", "the mount options of storage domain %q hold a password in clear: whoever reads the file has it", d.Name)
	}
	switch {
	case fileType(d.Type):
		s.filePlace(d, side, n, name)
	case d.Type == StorageISCSI && !side.has("targets") && !s.wrong[s.at("storage_domains", n, name, "targets")]:
		s.add(s.at("storage_domains", n, name), "missing-key", `add targets = { "10.0.0.1:3260/iqn.2006-01.com.example:a" }`, "storage domain %q: the %s side of a domain of type iscsi needs targets", d.Name, name)
	case d.Type == StorageISCSI && side.has("targets") && side.targetsGiven == 0 && !s.wrong[s.at("storage_domains", n, name, "targets")]:
		s.add(s.at("storage_domains", n, name, "targets"), "missing-key", `write targets = { "10.0.0.1:3260/iqn.2006-01.com.example:a" }`, "storage domain %q: its list of targets at the %s site is empty", d.Name, name)
	}
	seen := map[string]bool{}
	for i, t := range side.Targets {
		if seen[t.String()] {
			s.add(s.at("storage_domains", n, name, "targets", i+1), "storage-twice", "name each target once", "storage domain %q has the target %s twice", d.Name, t.Target)
		}
		seen[t.String()] = true
	}
}

// foreignKey reports whether a key of a side is none of a storage type.
func (s *semantics) foreignKey(storageType, key string) bool {
	switch key {
	case "url", "mount_options":
		return !fileType(storageType)
	case "nfs_version":
		return storageType != StorageNFS
	case "vfs_type":
		return storageType != StoragePOSIX && storageType != StorageGlusterFS
	case "targets":
		return storageType != StorageISCSI
	case "luns":
		return fileType(storageType)
	}
	return false
}

// filePlace reads the url of a file domain.
func (s *semantics) filePlace(d *StorageDomain, side *DomainSide, n int, name string) {
	if d.Type == StoragePOSIX && side.VFSType == "" && !side.has("vfs_type") {
		s.add(s.at("storage_domains", n, name), "missing-key", `add vfs_type = "ceph", or what else the hosts mount it as`, "storage domain %q: the %s side of a domain of type posixfs needs vfs_type", d.Name, name)
	}
	if side.URL == "" {
		if side.has("url") || s.wrong[s.at("storage_domains", n, name, "url")] {
			return // a todo or a value of a wrong type, reported already
		}
		s.add(s.at("storage_domains", n, name), "missing-key", "add url = \""+storageForms[d.Type]+"\"", "storage domain %q: the %s side of a domain of type %s needs a url", d.Name, name, d.Type)
		return
	}
	pos := s.at("storage_domains", n, name, "url")
	place, bad := parseStorageURL(strings.TrimSpace(side.URL))
	if bad != nil {
		s.add(pos, bad.Code, bad.Hint, "storage domain %q: %q: %s", d.Name, side.URL, bad.Message)
		return
	}
	if place.Type != d.Type {
		s.add(pos, "storage-type", "make type and url agree", "storage domain %q is of type %s, but its url is of type %s", d.Name, d.Type, place.Type)
		return
	}
	side.Place = place
}

// lunMappings finds what is wrong with the map of LUNs that are disks of VMs.
func (s *semantics) lunMappings() {
	unique := map[string]*seen{Primary: s.unique("mappings.luns"), Secondary: s.unique("mappings.luns")}
	ofDomains := map[string]string{} // name of the storage domain by LUN
	for _, d := range s.plan.StorageDomains {
		for _, id := range slices.Concat(d.Primary.LUNs, d.Secondary.LUNs) {
			ofDomains[id] = d.Name
		}
	}
	for i, m := range s.plan.Mappings.LUNs {
		for _, site := range []string{Primary, Secondary} {
			lun := m.Side(site)
			unique[site].add("duplicate-mapping", "LUN", lun.ID, i+1, "mappings", "luns", i+1, site)
			if name := ofDomains[lun.ID]; lun.ID != "" && name != "" {
				s.add(s.at("mappings", "luns", i+1, site), "lun-of-domain", "map LUNs here that are the disk of a VM", "LUN %s is part of storage domain %q, and no disk of a VM", lun.ID, name)
			}
		}
		if !m.paired && !m.Optional && !s.wrong[s.at("mappings", "luns", i+1)] {
			s.add(s.at("mappings", "luns", i+1), "missing-key", "add secondary = { id = \"…\" }, or optional = true where its VM can do without it", "LUN %s has no replica at the secondary site", m.Primary.ID)
		}
	}
}
