package lab

// unquiet are the severities of the event codes that are not normal (ovirt-engine AuditLogType).
var unquiet = map[int]string{
	12: "error", 54: "error", 56: "error", 65: "error", 74: "error", 114: "error", 119: "error", 145: "error", 147: "warning", 151: "warning", 166: "warning",
	190: "warning", 454: "warning", 455: "warning", 522: "warning", 925: "warning", 957: "error", 963: "error", 967: "error", 969: "error",
	970: "warning", 979: "error", 980: "warning", 983: "warning", 986: "warning", 996: "error", 1009: "warning", 1017: "warning", 1153: "error", 1188: "warning", 1197: "warning", 1198: "warning", 1213: "error", 1218: "warning", 1481: "error", 9019: "error", 9021: "warning",
	9802: "warning", 9803: "error", 9804: "alert",
}

// severities compares the severity of every event of the lab with what the engine gives that code.
func (r *rig) severities() {
	r.t.Helper()
	r.lab.lock()
	defer r.lab.mu.Unlock()
	for _, e := range r.lab.engines {
		for _, v := range e.events {
			want := unquiet[v.code]
			if want == "" {
				want = "normal"
			}
			if v.severity != want || v.text == "" {
				r.t.Errorf("event %d is of severity %s, want %s: %s", v.code, v.severity, want, v.text)
			}
		}
	}
}
