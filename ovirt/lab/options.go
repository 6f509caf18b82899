package lab

import (
	"net/http"
	"slices"
)

// options are values of engine-config that the API shows, by name; an engine does not list them (ovirt-engine
// BackendSystemOptionResource). A value of one version is asked for with the parameter version, "general" is that of all.
var options = map[string]string{
	"AuditLogAgingThreshold": "30", "CriticalSpaceActionBlocker": "5", "FenceQuietTimeBetweenOperationsInSec": "180", "MaxRerunVmOnVdsCount": "3",
	"OvfUpdateIntervalInMinutes": "60", "StorageDomainFailureTimeoutInMinutes": "5", "StorageDomainOvfStoreCount": "2",
	"TimeoutToResetVdsInSeconds": "60", "UserSessionTimeOutInterval": "30", "VDSAttemptsToResetCount": "2", "VdsRefreshRate": "3",
	"VmGracefulShutdownTimeout": "30", "WarningLowSpaceIndicator": "10", "vdsTimeout": "180",
}

// versioned are options that have a value for each compatibility version.
var versioned = map[string]string{"PropagateDiskErrors": "false"}

func (c *call) getOption(s []string) *reply {
	switch {
	case !c.reading():
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	case len(s) != 1:
		return c.notFound()
	}
	name, version := s[0], c.params.Get("version")
	general, ok := options[name]
	each, byVersion := versioned[name]
	levels := []string{"4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8"}
	switch {
	case !ok && !byVersion, ok && version != "" && version != "general", byVersion && version != "" && !slices.Contains(levels, version):
		return c.notFound()
	case ok:
		levels, each = []string{"general"}, general
	case version != "":
		levels = []string{version}
	}
	x := newDocument()
	x.open("system_option", "href", apiRoot+"/options/"+name, "id", name)
	x.text("name", name)
	x.open("values")
	for _, level := range levels {
		x.open("system_option_value")
		x.text("value", each)
		x.text("version", level)
		x.close("system_option_value")
	}
	x.close("values")
	x.close("system_option")
	return x.reply(http.StatusOK)
}
