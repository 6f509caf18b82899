package stdlib

import (
	"context"
	"fmt"

	"drrun/ovirt"
)

// carrySettings gives an attached domain the settings that it had at the source: an import begins with the engine's own. One that the
// target cannot have, such as discard on storage without it, is no reason to leave the VMs down.
func (d *domainRef) carrySettings(ctx context.Context, attached ovirt.StorageDomain) error {
	s := d.site.session
	if d.fact.Settings == nil || attached.Settings == *d.fact.Settings {
		return nil
	}
	cut := s.cut(ovirt.OpSetDomain, d.subject())
	changed, err := d.site.Engine.SetDomainSettings(ctx, d.fact.ID, *d.fact.Settings)
	switch {
	case err == nil:
		s.settleByState(cut, changed)
		return nil
	case ovirt.HasCode(err, ovirt.CodeBadRequest) || ovirt.HasCode(err, ovirt.CodeConflict) || ovirt.HasCode(err, ovirt.CodeForbidden):
		s.settleByState(cut, true)
		s.Warn(d.subject(), fmt.Sprintf("storage domain %s does not have the settings that it had on %s (wipe after delete, discard, backup, space limits): %v", d.fact.Name, s.Source.Name, err))
		return nil
	}
	return err
}
