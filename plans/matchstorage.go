package plans

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/ovirt"
)

// What drrun generate makes of the two lists of storage URLs.

// matchedDomain is a storage domain of the primary site with its places.
type matchedDomain struct {
	domain   ovirt.StorageDomain
	pair     StoragePair
	replica  []string // block types: the LUNs of the replica, where a host of the secondary site sees them
	original string   // block types: a host of the secondary site that sees a LUN of the original, "" for none
}

// matchDomains finds the primary engine's domain of each pair: by server and path, or by its id. All that is wrong is reported at once.
func matchDomains(v, secondary *siteView, pairs []StoragePair) ([]matchedDomain, error) {
	var matched []matchedDomain
	var errs FindingsError
	for _, pair := range pairs {
		url := pair.Primary
		fail := func(code, id, name, hint, format string, args ...any) {
			errs = append(errs, finding(SeverityError, ScopeStorageDomain, code, format, args...).on(Primary, "storage_domain", id, name).hint("%s", hint))
		}
		found := v.at(url)
		switch {
		case len(found) == 0 && url.DomainID != "":
			fail("storage-not-found", url.DomainID, "", knownStorage(v), "site %q has no storage domain with the id %s", Primary, url.DomainID)
			continue
		case len(found) == 0:
			fail("storage-not-found", "", "", knownStorage(v), "site %q has no storage domain at %s", Primary, url.Raw)
			continue
		case len(found) > 1 && !fileTypeOf(found, url):
			var names []string
			for _, d := range found {
				names = append(names, d.Name)
			}
			fail("storage-ambiguous", "", "", "generate the plan without it, then add it to storage_domains by hand, with the id that the engine shows for it",
				"which storage domain of site %q is at %s cannot be told: its engine shows one place for %s", Primary, url.Raw, nameList(names, 4))
			continue
		}
		d := *found[0]
		if problem, hint := refusedDomain(v, d, url); problem != "" {
			fail("storage-refused", d.ID, d.Name, hint, "storage domain %q at %s %s", d.Name, url.Raw, problem)
			continue
		}
		m := matchedDomain{domain: d, pair: pair}
		if !fileType(url.Type) {
			m.replica, m.original = secondary.replicaLUNs(d)
		}
		matched = append(matched, m)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	slices.SortFunc(matched, func(a, b matchedDomain) int {
		return cmp.Or(naturalCompare(a.domain.Name, b.domain.Name), strings.Compare(a.domain.ID, b.domain.ID))
	})
	return matched, nil
}

// fileTypeOf reports whether one of several domains that an engine shows at a place certainly lies there; it is brought to the front.
func fileTypeOf(found []*ovirt.StorageDomain, place StorageURL) bool {
	at := slices.IndexFunc(found, func(d *ovirt.StorageDomain) bool { return place.DomainID != "" || lies(*d, place) == here })
	if at > 0 {
		found[0], found[at] = found[at], found[0]
	}
	return at >= 0
}

// replicaLUNs finds the LUNs on which hosts of this site see what lies on a block domain of the other one: a replica has its volume
// group. seen names a host that sees an original, "" for none.
func (v *siteView) replicaLUNs(d ovirt.StorageDomain) (ids []string, original string) {
	originals := d.LUNIDs()
	for _, host := range v.hosts {
		for _, lun := range v.luns[host.ID] {
			switch {
			case slices.Contains(originals, lun.ID):
				original = host.Name
			case d.VolumeGroupID != "" && lun.VolumeGroupID == d.VolumeGroupID && lun.Type == d.StorageType && !slices.Contains(ids, lun.ID):
				ids = append(ids, lun.ID)
			}
		}
	}
	slices.Sort(ids)
	return ids, original
}

// wantsLUNs reports whether the plan will have LUNs, so that it is worth while to ask hosts for those that they see.
func wantsLUNs(primary *siteView, pairs []StoragePair) bool {
	if slices.ContainsFunc(pairs, func(p StoragePair) bool { return !fileType(p.Primary.Type) }) {
		return true
	}
	var ids []string
	for _, pair := range pairs {
		for _, d := range primary.at(pair.Primary) {
			ids = append(ids, d.ID)
		}
	}
	return slices.ContainsFunc(primary.vms, func(vm ovirt.VM) bool {
		return hasDiskOn(vm, ids) && slices.ContainsFunc(vm.Disks, func(disk ovirt.Disk) bool { return disk.LUN.ID != "" })
	})
}

// refusedDomain says why a storage domain cannot be part of a plan.
func refusedDomain(v *siteView, d ovirt.StorageDomain, url StorageURL) (problem, hint string) {
	const other = "leave it out of both storage lists"
	switch {
	case d.Name == hostedStorage:
		return "holds the hosted engine: it belongs to one site and is never recovered on another", other
	case d.Type == "managed_block_storage" || d.StorageType == "managed_block_storage" || d.StorageType == "cinder":
		return "is managed block storage: it has no OVF store that another site could read", other
	case d.Type == "iso":
		return "is an ISO domain: it holds no VMs", other
	case d.Type == "export":
		return "is an export domain: it holds no running VMs", other
	case d.Type != "data":
		return fmt.Sprintf("is of type %q, only data domains can be recovered", d.Type), other
	case d.StorageType == "localfs":
		return "is local storage of one host: it cannot be replicated to another site", other
	case d.StorageType != url.Type:
		return fmt.Sprintf("is of storage type %s, but its URL says %s", d.StorageType, url.Type), "write " + d.StorageType + "://…"
	case d.DataCenterID == "":
		return "is not attached to a data center: its VMs cannot be read", "attach it, then generate the plan"
	}
	if dc := v.dataCenter(d.DataCenterID); dc != nil && dc.Local {
		return fmt.Sprintf("belongs to the local data center %q: local storage cannot be replicated to another site", dc.Name), other
	}
	return "", ""
}

// hostedStorage is the name that every hosted-engine setup gives to the storage domain of the engine's own VM.
const hostedStorage = "hosted_storage"

// knownStorage tells what an engine has, for whoever looked for something else.
func knownStorage(v *siteView) string {
	var have []string
	for _, d := range v.domains {
		url := StorageURL{Type: d.StorageType, DomainID: strings.ToLower(d.ID)}
		if fileType(d.StorageType) {
			url = placeOf(d)
		} else if targets := domainTargets(d, nil, nil); len(targets) > 0 {
			url.Targets = []Target{targets[0].Target}
		}
		if problem, _ := refusedDomain(v, d, url); problem == "" && (url.Path != "" || !fileType(url.Type)) {
			have = append(have, fmt.Sprintf("%s (%q)", url, d.Name))
		}
	}
	if len(have) == 0 {
		return "the engine has no storage domain that could be recovered"
	}
	return "the engine has " + nameList(have, 8)
}

// domainTargets are the targets behind which a domain's LUNs are: those that are given and those that the engine has. password is the
// secret of targets that ask for one.
func domainTargets(d ovirt.StorageDomain, given []Target, password *lua.Secret) []TargetLogin {
	var out []TargetLogin
	add := func(t Target, username string) {
		at := slices.IndexFunc(out, func(other TargetLogin) bool { return other.Target == t })
		if at < 0 {
			out = append(out, TargetLogin{Target: t})
			at = len(out) - 1
		}
		if username != "" {
			out[at].Username, out[at].Password = username, password
		}
	}
	for _, t := range given {
		add(t, "")
	}
	for _, lun := range d.LUNs {
		if t, ok := targetOf(lun); ok {
			add(t, lun.Username)
		}
	}
	return out
}

// targetOf is the target behind which an engine shows a LUN; false for Fibre Channel.
func targetOf(lun ovirt.LUN) (Target, bool) {
	if lun.Target == "" || lun.Address == "" {
		return Target{}, false
	}
	address, problem := parseHost(lun.Address)
	if strings.Contains(lun.Address, ":") && !strings.HasPrefix(lun.Address, "[") {
		address, problem = parseHost("[" + lun.Address + "]")
	}
	iqn, sound := parseIQN(lun.Target)
	return Target{Address: address, Port: cmp.Or(lun.Port, 3260), IQN: iqn}, problem == "" && sound
}

// chapSecret stands in a generated plan for the password of a site's targets.
func chapSecret(site string) *lua.Secret {
	return lua.NewSecret(site+"_chap_password", nil)
}

// draftDomain makes the plan's entry of a storage domain, and notes in targetDC into which data center its own leads.
func draftDomain(inv *Inventory, d InventoryDomain, m matchedDomain, targetDC map[string]string) StorageDomain {
	out := StorageDomain{Name: d.Name, ID: d.ID, Type: d.Type, Primary: DomainSide{DataCenter: d.DataCenter}}
	for _, site := range []string{Primary, Secondary} {
		side, place := out.side(site), m.pair.Primary
		if site == Secondary {
			place = m.pair.Secondary
		}
		switch d.Type {
		case StorageISCSI:
			side.Targets = domainTargets(ovirt.StorageDomain{}, place.Targets, nil)
		case StorageFCP:
		default:
			side.URL, side.Place, side.MountOptions = place.String(), place, d.MountOptions
			if d.Type == StoragePOSIX {
				side.VFSType = d.VFSType
			}
			if d.Type == StorageNFS && d.NFSVersion != "auto" {
				side.NFSVersion = d.NFSVersion
			}
		}
	}
	if d.Type == StorageISCSI {
		out.Primary.Targets = domainTargets(m.domain, m.pair.Primary.Targets, chapSecret(Primary))
	}
	if !fileType(d.Type) {
		out.Primary.LUNs, out.Secondary.LUNs = m.domain.LUNIDs(), m.replica
	}
	if slices.Contains(inv.Sites.Secondary.DataCenters, d.DataCenter) {
		out.Secondary.DataCenter = d.DataCenter
		targetDC[d.DataCenter] = d.DataCenter
	} else {
		out.Secondary.Todo = sentence("the secondary data center that %q is attached to; the secondary site has: %s", d.Name, nameList(inv.Sites.Secondary.DataCenters, 8))
	}
	return out
}

// freeLUNs describes the LUNs that hosts of the site see and on which no storage domain lies, of its own or of the plan: one of them can be
// the replica of a LUN that is a disk.
func (v *siteView) freeLUNs(domains []matchedDomain) []string {
	var used, ids, words []string
	for _, d := range v.domains {
		used = append(used, d.LUNIDs()...)
	}
	for _, m := range domains {
		used = append(used, m.replica...)
		used = append(used, m.domain.LUNIDs()...)
	}
	for _, host := range v.hosts {
		for _, lun := range v.luns[host.ID] {
			if lun.VolumeGroupID == "" && !slices.Contains(used, lun.ID) && !slices.Contains(ids, lun.ID) {
				ids = append(ids, lun.ID)
				words = append(words, fmt.Sprintf("%s (%s, %d GiB)", lun.ID, lun.Type, lun.Size>>30))
			}
		}
	}
	return words
}

// draftLUNs maps the LUNs that are disks of VMs. Which LUN is the replica of which, only the array knows; free are those that it could be.
func draftLUNs(inv *Inventory, free []string) []LUNMapping {
	seen := ""
	if len(free) > 0 {
		seen = "; hosts there see: " + nameList(free, 6)
	}
	var mappings []LUNMapping
	for _, vm := range inv.VMs {
		for _, disk := range vm.Disks {
			if disk.LUN == nil || slices.ContainsFunc(mappings, func(m LUNMapping) bool { return m.Primary.ID == disk.LUN.ID }) {
				continue
			}
			m := LUNMapping{Primary: LUNRef{ID: disk.LUN.ID}, Todo: sentence("the LUN at the secondary site that holds the replica of disk %q of VM %q, as its id or as { id = …, targets = { … } }%s", disk.Alias, vm.Name, seen)}
			if target, problem := parseTarget(disk.LUN.Target); problem == "" {
				login := TargetLogin{Target: target, Username: disk.LUN.Username}
				if login.Username != "" {
					login.Password = chapSecret(Primary)
				}
				m.Primary.Targets = []TargetLogin{login}
			}
			mappings = append(mappings, m)
		}
	}
	return mappings
}

// inventoryLUN is what the inventory keeps of a direct LUN, nil for any other disk.
func inventoryLUN(disk ovirt.Disk) *InventoryLUN {
	if disk.LUN.ID == "" {
		return nil
	}
	out := &InventoryLUN{ID: disk.LUN.ID, Username: disk.LUN.Username}
	if target, ok := targetOf(disk.LUN); ok {
		out.Target = target.String()
	}
	return out
}

// surveyLeftOut tells which storage domains with VMs of the primary site are no part of the plan, and why they could not be.
func surveyLeftOut(v *siteView, inv *Inventory) []Finding {
	var left []string
	for _, d := range v.domains {
		if d.DataCenterID == "" || slices.ContainsFunc(inv.Domains, func(own InventoryDomain) bool { return own.ID == d.ID }) {
			continue
		}
		problem, _ := refusedDomain(v, d, StorageURL{Type: d.StorageType})
		if problem == "" {
			problem = "is on neither storage list"
		}
		left = append(left, fmt.Sprintf("%q %s", d.Name, problem))
	}
	if len(left) == 0 {
		return nil
	}
	slices.SortFunc(left, naturalCompare)
	return []Finding{finding(SeverityInfo, ScopeRun, "domain-left-out", "left out of the plan: %s", strings.Join(left, "; ")).on(Primary, "site", "", Primary)}
}

// surveyReplicas tells what could not be learned of the replicas of block domains, or should not be seen at the secondary site.
func surveyReplicas(domains []matchedDomain) []Finding {
	var findings []Finding
	for _, m := range domains {
		d := m.domain
		add := func(severity, code, hint, format string, args ...any) {
			findings = append(findings, finding(severity, ScopeStorageDomain, code, format, args...).on(Secondary, "storage_domain", d.ID, d.Name).hint("%s", hint))
		}
		if _, hidden := withoutSecrets(d.MountOptions); hidden {
			add(SeverityWarning, "mount-secret", "keep it in a file on the hosts (Ceph: secretfile=FILE) and name that in mount_options of both sides", "the mount options of storage domain %q hold a password, which is not written into the plan: without it the import at site %q fails", d.Name, Secondary)
		}
		if fileType(d.StorageType) {
			continue
		}
		if m.original != "" {
			add(SeverityWarning, "source-lun-visible", "let the array show the hosts of a site only its own LUNs", "host %s of site %q sees a LUN of the original of storage domain %q: a failover will refuse that", m.original, Secondary, d.Name)
		}
		if len(m.replica) == 0 {
			add(SeverityInfo, "luns-unknown", "add luns = { … } to its secondary side: then each import is held against them", "on which LUNs the replica of storage domain %q lies is not known: no host of site %q that was asked sees them now", d.Name, Secondary)
		}
		if slices.ContainsFunc(d.LUNs, func(lun ovirt.LUN) bool { return lun.Username != "" }) {
			add(SeverityInfo, "chap-at-primary", "if they do: { target = …, username = …, password = dr.secret \"secondary_chap_password\" }", "the targets of storage domain %q ask for a username at site %q; whether those of its replica do is not known", d.Name, Primary)
		}
	}
	return findings
}
