package plans

import (
	"cmp"
	"slices"
	"time"
)

// InventoryHome is where a VM lived at the primary site. It is kept while the VM lives at the secondary one, because the way back leads
// there, and the inverse of the plan's mappings need not.
type InventoryHome struct {
	Cluster string    `json:"cluster"`
	NICs    []HomeNIC `json:"nics"`
	Seen    time.Time `json:"seen,omitzero"` // when it was read
}

// HomeNIC is a network interface with the vNIC profile that it had at home. Its id stays the same on both sites.
type HomeNIC struct {
	ID      string      `json:"id"`
	Name    string      `json:"name"`
	Profile *ProfileRef `json:"profile"` // null: it had none
}

// ReadAt returns the site at which the VM was read.
func (vm *InventoryVM) ReadAt() string { return cmp.Or(vm.Site, Primary) }

// SeenAt returns when the VM was read.
func (inv *Inventory) SeenAt(vm *InventoryVM) time.Time {
	if vm.Seen.IsZero() {
		return inv.Taken
	}
	return vm.Seen
}

// HomeOf returns where a VM lives, or lived before it left, at the primary site; false for one that is not known to have lived there.
func (inv *Inventory) HomeOf(id string) (*InventoryHome, bool) {
	if inv == nil {
		return nil, false
	}
	vm, known := inv.VM(id)
	switch {
	case !known:
		return nil, false
	case vm.ReadAt() == Secondary:
		return vm.Home, vm.Home != nil
	}
	home := &InventoryHome{Cluster: vm.Cluster, NICs: make([]HomeNIC, 0, len(vm.NICs)), Seen: inv.SeenAt(vm)}
	for _, nic := range vm.NICs {
		home.NICs = append(home.NICs, HomeNIC{ID: nic.ID, Name: nic.Name, Profile: nic.Profile})
	}
	return home, true
}

// nic finds a NIC by its id, else by its name.
func (h *InventoryHome) nic(id, name string) (HomeNIC, bool) {
	i := slices.IndexFunc(h.NICs, func(n HomeNIC) bool { return n.ID == id })
	if i < 0 {
		i = slices.IndexFunc(h.NICs, func(n HomeNIC) bool { return n.Name == name })
	}
	if i < 0 {
		return HomeNIC{}, false
	}
	return h.NICs[i], true
}
