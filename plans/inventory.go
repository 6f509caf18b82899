package plans

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/ovirt"
)

// InventorySchema names the layout of an inventory file.
const InventorySchema = "drrun.inventory/1"

// Inventory is what an engine said about the objects of a plan at one moment: above all what ran. It lies beside the plan,
// because when the primary site is gone nothing else can tell.
type Inventory struct {
	Schema  string            `json:"schema"`
	Taken   time.Time         `json:"taken"` // model time, UTC
	Plan    string            `json:"plan"`
	Sites   InventorySites    `json:"sites"`
	Domains []InventoryDomain `json:"storage_domains"`
	VMs     []InventoryVM     `json:"vms"`

	byID map[string]int // index of VMs; nil in an inventory that was made by hand
}

// InventorySites holds what is known of each site.
type InventorySites struct {
	Primary   InventorySite `json:"primary"`
	Secondary InventorySite `json:"secondary"`
}

// InventorySite is one engine with the names that a mapping can use.
type InventorySite struct {
	URL         string             `json:"url"`
	InstanceID  string             `json:"instance_id,omitempty"`
	Product     string             `json:"product"`
	Version     string             `json:"version"`
	DataCenters []string           `json:"data_centers"` // shared ones; local storage cannot be replicated
	Clusters    []InventoryCluster `json:"clusters"`
	Domains     []InventoryEntity  `json:"storage_domains"` // all of them, also those that are not part of the plan
	Templates   []InventoryEntity  `json:"templates"`
	Profiles    []ProfileRef       `json:"vnic_profiles"` // of VM networks
}

// InventoryCluster is a cluster with what decides whether a VM of another cluster can run in it.
type InventoryCluster struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	DataCenter   string `json:"data_center"`
	Version      string `json:"version,omitempty"` // compatibility level
	Architecture string `json:"architecture,omitempty"`
}

// InventoryEntity is an object that is only named.
type InventoryEntity struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// InventoryDomain is a storage domain of the plan as the primary site had it.
type InventoryDomain struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Type         string   `json:"type"`
	Address      string   `json:"address,omitempty"`
	Path         string   `json:"path,omitempty"`
	NFSVersion   string   `json:"nfs_version,omitempty"`
	MountOptions string   `json:"mount_options,omitempty"`
	DataCenter   string   `json:"data_center"`
	Status       string   `json:"status"`
	Master       bool     `json:"master"`
	Format       string   `json:"format,omitempty"`
	VFSType      string   `json:"vfs_type,omitempty"`
	LUNs         []string `json:"luns,omitempty"` // ids
	// Settings are what an administrator set, which an import loses; nil where it was written by a drrun that did not read them.
	Settings *ovirt.DomainSettings `json:"settings,omitempty"`
}

// InventoryVM is a VM that has a disk on one of the domains.
type InventoryVM struct {
	ID              string          `json:"id"`
	Name            string          `json:"name"`
	Status          string          `json:"status"`
	Cluster         string          `json:"cluster"`
	Host            string          `json:"host,omitempty"`        // id
	TemplateID      string          `json:"template_id,omitempty"` // "" for the engine's Blank template
	HA              bool            `json:"ha"`
	HAPriority      int             `json:"ha_priority,omitempty"`
	DeleteProtected bool            `json:"delete_protected"`
	GuestAgent      bool            `json:"guest_agent"`              // the guest told its name or operating system
	IllegalImages   bool            `json:"illegal_images,omitempty"` // the engine marks one of its disk images as unusable
	LeaseDomainID   string          `json:"lease,omitempty"`          // storage domain of its lease
	Memory          int64           `json:"memory"`                   // bytes
	Description     string          `json:"description,omitempty"`    //
	NICs            []InventoryNIC  `json:"nics"`                     //
	Disks           []InventoryDisk `json:"disks"`                    //
	// Site is where it was read: "" for Primary. Seen is when; zero for Inventory.Taken. Home is set while it lives at the secondary.
	Site string         `json:"site,omitempty"`
	Seen time.Time      `json:"seen,omitzero"`
	Home *InventoryHome `json:"home,omitempty"`
}

// InventoryNIC is a network interface of a VM.
type InventoryNIC struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	MAC       string      `json:"mac"`
	Interface string      `json:"interface,omitempty"`
	Profile   *ProfileRef `json:"profile"` // null: the NIC has none
	Linked    bool        `json:"linked"`
	Plugged   bool        `json:"plugged"`
}

// InventoryDisk is a disk of a VM.
type InventoryDisk struct {
	ID               string        `json:"id"`
	Alias            string        `json:"alias"`
	Size             int64         `json:"size"`         // bytes, provisioned
	StorageType      string        `json:"storage_type"` // image, lun, …
	Bootable         bool          `json:"bootable"`
	Active           bool          `json:"active"`
	StorageDomainIDs []string      `json:"storage_domain_ids"`
	LUN              *InventoryLUN `json:"lun,omitempty"` // of a direct LUN
}

// InventoryLUN is a LUN that is a disk. Without a target it is reached by Fibre Channel.
type InventoryLUN struct {
	ID       string `json:"id"`
	Target   string `json:"target,omitempty"`   // ADDRESS:PORT/IQN, one of those behind which it is
	Username string `json:"username,omitempty"` // that CHAP asks for
}

// InventoryFile returns the path of the inventory that belongs to a plan file: plan.lua has plan.inventory.json.
func InventoryFile(planFile string) string {
	return strings.TrimSuffix(planFile, filepath.Ext(planFile)) + ".inventory.json"
}

// VM returns the VM with that id.
func (inv *Inventory) VM(id string) (*InventoryVM, bool) {
	if inv.byID == nil { // made by hand
		at := slices.IndexFunc(inv.VMs, func(vm InventoryVM) bool { return vm.ID == id })
		if at < 0 {
			return nil, false
		}
		return &inv.VMs[at], true
	}
	at, ok := inv.byID[id]
	if !ok {
		return nil, false
	}
	return &inv.VMs[at], true
}

func (inv *Inventory) index() {
	inv.byID = make(map[string]int, len(inv.VMs))
	for i := range inv.VMs {
		inv.byID[inv.VMs[i].ID] = i
	}
}

// Site returns the named site.
func (inv *Inventory) Site(name string) *InventorySite {
	if name == Secondary {
		return &inv.Sites.Secondary
	}
	return &inv.Sites.Primary
}

// Cluster returns the cluster with that name. Names of clusters are unique in an engine.
func (s *InventorySite) Cluster(name string) (InventoryCluster, bool) {
	at := slices.IndexFunc(s.Clusters, func(c InventoryCluster) bool { return c.Name == name })
	if at < 0 {
		return InventoryCluster{}, false
	}
	return s.Clusters[at], true
}

// Age returns how old the inventory is at that moment, never less than zero.
func (inv *Inventory) Age(now time.Time) time.Duration { return max(0, now.Sub(inv.Taken)) }

// Encode renders the inventory as its file holds it.
func (inv *Inventory) Encode() ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(inv); err != nil {
		return nil, fmt.Errorf("encode inventory: %w", err)
	}
	return b.Bytes(), nil
}

// DecodeInventory reads the content of an inventory file. Unknown fields are of a newer drrun and ignored; another schema is an error.
func DecodeInventory(data []byte) (*Inventory, error) {
	var inv Inventory
	if err := json.Unmarshal(data, &inv); err != nil {
		return nil, fmt.Errorf("decode inventory: %w", err)
	}
	if inv.Schema != InventorySchema {
		return nil, fmt.Errorf("decode inventory: its schema is %q, this drrun reads %q", inv.Schema, InventorySchema)
	}
	inv.index()
	return &inv, nil
}

// ReadInventory reads the inventory beside a plan. The error is fs.ErrNotExist when there is none.
func ReadInventory(readFile func(string) ([]byte, error), planFile string) (*Inventory, error) {
	file := InventoryFile(planFile)
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("read inventory: %w", err)
	}
	inv, err := DecodeInventory(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return inv, nil
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Files is what writing a generated plan needs of a file system. engine.FS has it; WriteFile is atomic there.
type Files interface {
	Stat(path string) (engine.Entry, error)
	WriteFile(path string, data []byte, perm fs.FileMode) error
}

// ErrExists tells that a file which Save would write is there already.
var ErrExists = errors.New("the file exists already")

// Save writes the plan to planFile and the inventory beside it. Without force it changes nothing where either file exists, and
// the error is ErrExists, with the file's name. The inventory goes first: a plan without inventory would know less than it claims.
func (g *Generated) Save(files Files, planFile string, force bool) error {
	inventoryFile := InventoryFile(planFile)
	if !force {
		for _, file := range []string{planFile, inventoryFile} {
			_, err := files.Stat(file)
			if err == nil {
				return fmt.Errorf("write %s: %w", file, ErrExists)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("write %s: %w", file, err)
			}
		}
	}
	if err := g.Inventory.Save(files, planFile); err != nil {
		return err
	}
	if err := files.WriteFile(planFile, g.Plan, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", planFile, err)
	}
	return nil
}
