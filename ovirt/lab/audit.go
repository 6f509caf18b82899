package lab

import "fmt"

// Event codes of what administrators do apart from running VMs and storage (ovirt-engine AuditLogType).
const (
	eventTagToTemplate     = 183
	eventTagOffTemplate    = 185
	eventUserAdded         = 149
	eventUserRemoved       = 325
	eventBookmarkAdded     = 350
	eventBookmarkUpdated   = 352
	eventBookmarkRemoved   = 354
	eventGroupRemoved      = 408
	eventTagUpdated        = 430
	eventTagAdded          = 432
	eventTagRemoved        = 434
	eventTagToVM           = 440
	eventTagToHost         = 442
	eventTagOffHost        = 444
	eventTagOffVM          = 446
	eventTagOnVM           = 454
	eventTagOnHost         = 455
	eventTagMoved          = 555
	eventPermissionAdded   = 850
	eventPermissionRemoved = 852
	eventRoleUpdated       = 856
	eventRoleRemoved       = 858
	eventPermitAttached    = 860
	eventPermitDetached    = 862
	eventRoleAdded         = 864
	eventQuotaAdded        = 3000
	eventQuotaUpdated      = 3002
	eventQuotaDeleted      = 3004
	eventQoSAdded          = 10110
	eventQoSRemoved        = 10112
	eventQoSUpdated        = 10114
	eventDiskProfAdded     = 10120
	eventDiskProfRemoved   = 10122
	eventDiskProfUpdated   = 10124
	eventCPUProfAdded      = 10130
	eventCPUProfRemoved    = 10132
	eventCPUProfUpdated    = 10134
	eventGroupAdded        = 10350
	eventGroupUpdated      = 10352
	eventGroupDeleted      = 10354
	eventLabelAdded        = 10380
	eventLabelUpdated      = 10382
	eventLabelRemoved      = 10384
	eventMACPoolAdded      = 10700
	eventMACPoolEdited     = 10702
	eventMACPoolRemoved    = 10704
)

// audit records what a request of the session's user did to no host, VM or domain in particular. All are of severity normal, except
// that something was there already.
func (c *call) audit(code int, format string, args ...any) {
	severity := "normal"
	if code == eventTagOnVM || code == eventTagOnHost {
		severity = "warning"
	}
	c.engine.event(code, severity, fmt.Sprintf(format, args...), refs{correlation: c.correlation, user: c.engine.userName()})
}
