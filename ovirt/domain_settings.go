package ovirt

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
)

// DomainSettings are what an administrator sets of a storage domain apart from its name. They are the engine's own: an import begins
// with its defaults.
type DomainSettings struct {
	Backup             bool  `json:"backup,omitempty"` // no running VM may use its disks
	WipeAfterDelete    bool  `json:"wipe_after_delete,omitempty"`
	DiscardAfterDelete bool  `json:"discard_after_delete,omitempty"`
	WarningLowSpace    int64 `json:"warning_low_space_indicator"`   // percent
	CriticalSpace      int64 `json:"critical_space_action_blocker"` // GiB
}

// settingsXML has nothing but settings: a request that named LUNs would extend the domain onto them (ovirt-engine
// BackendStorageDomainResource.java).
type settingsXML struct {
	XMLName            xml.Name `xml:"storage_domain"`
	Backup             bool     `xml:"backup"`
	CriticalSpace      int64    `xml:"critical_space_action_blocker"`
	DiscardAfterDelete bool     `xml:"discard_after_delete"`
	WarningLowSpace    int64    `xml:"warning_low_space_indicator"`
	WipeAfterDelete    bool     `xml:"wipe_after_delete"`
}

// SetDomainSettings gives a storage domain all of the settings. It does nothing where they are so, and reads them back.
func (s *Site) SetDomainSettings(ctx context.Context, sdID string, settings DomainSettings) (changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	body := settingsXML{Backup: settings.Backup, CriticalSpace: settings.CriticalSpace, DiscardAfterDelete: settings.DiscardAfterDelete,
		WarningLowSpace: settings.WarningLowSpace, WipeAfterDelete: settings.WipeAfterDelete}
	var answer StorageDomain
	e := &ensurance{change: change{op: OpSetDomain, subject: Subject{Kind: KindStorageDomain, ID: sdID}, method: http.MethodPut,
		path: "/storagedomains/" + segment(sdID), body: body, accept: acceptInto(decodeDomain, &answer)}}
	e.look = func(ctx context.Context, _ bool) (bool, error) {
		sd, err := s.StorageDomain(ctx, sdID)
		if err == nil {
			e.change.subject.Name = sd.Name
		}
		return err == nil && sd.Settings == settings, err
	}
	e.undone = func() *Error {
		return s.fail(OpSetDomain, e.change.subject, CodeEngineError, errors.New("the engine accepted the settings, and does not show them"))
	}
	return s.ensure(ctx, e)
}
