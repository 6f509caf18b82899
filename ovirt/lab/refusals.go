package lab

import (
	"fmt"
	"net/http"
	"strings"
)

// refusal is why a request was not done: a status and a fault document.
type refusal struct {
	status         int
	reason, detail string
	bare           bool // found before the command ran: a fault even where the request was an action
	empty          bool // no document at all
}

// The texts follow the engine's resource bundle (AppErrors.properties) as far as a person recognises them. Validation messages
// come as a Java list, in square brackets (ovirt-engine ErrorMessageHelper).

// bad is a validation message of type BAD_PARAMETERS, CONSTRAINT_VIOLATION or NOT_SUPPORTED.
func bad(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: "[" + fmt.Sprintf(format, args...) + "]"}
}

// conflict is a validation message of type CONFLICT.
func conflict(format string, args ...any) *refusal {
	return &refusal{status: http.StatusConflict, reason: "Operation Failed", detail: "[" + fmt.Sprintf(format, args...) + "]"}
}

// internal is CAN_DO_ACTION_GENERAL_FAILURE.
func internal() *refusal {
	return &refusal{status: http.StatusInternalServerError, reason: "Operation Failed", detail: "[General command validation failure.]"}
}

// vdsm is an error of a host during the execution.
func vdsm(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: "[" + fmt.Sprintf(format, args...) + "]"}
}

// objectLocked is ACTION_TYPE_FAILED_OBJECT_LOCKED: an in-memory lock of the engine is held.
func objectLocked(what string) *refusal {
	return conflict("Cannot %s. Related operation is currently in progress. Please try again later.", what)
}

// statusIllegal is ACTION_TYPE_FAILED_STORAGE_DOMAIN_STATUS_ILLEGAL2.
func statusIllegal(what, status string) *refusal {
	return conflict("Cannot %s. The relevant Storage Domain's status is %s.", what, statusWords(status))
}

// incomplete is the REST layer's complaint about mandatory members.
func incomplete(kind, members, method string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Incomplete parameters", detail: fmt.Sprintf("%s [%s] required for %s", kind, members, method), bare: true}
}

func invalidValue(name, value string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Invalid value", detail: fmt.Sprintf("%q is not a valid value of %s", value, name), bare: true}
}

// notFoundNamed is an object of the request's body that does not exist.
func notFoundNamed(name string) *refusal {
	return &refusal{status: http.StatusNotFound, reason: "Operation Failed", detail: "Entity not found: " + name, bare: true}
}

func writeFault(x *xmlWriter, r *refusal) {
	x.open("fault")
	optional(x, "detail", r.detail)
	x.text("reason", r.reason)
	x.close("fault")
}

// refuse answers a refusal: inside the action where the request was one and its command ran, else as a fault.
func (c *call) refuse(r *refusal) *reply {
	if r.empty {
		return &reply{status: r.status}
	}
	x := newDocument()
	if c.action == nil || r.bare {
		writeFault(x, r)
		return x.reply(r.status)
	}
	return c.echo(func(x *xmlWriter) {
		writeFault(x, r)
		x.text("status", "failed")
	}).reply(r.status)
}

// notFound is the answer for an object of the path that does not exist: often without a body (ovirt-engine BackendResource).
func (c *call) notFound() *reply { return &reply{status: http.StatusNotFound} }

// html is a page of the servlet container, where the REST layer did not get to answer (io.undertow HttpServletResponseImpl).
func html(status int, message string) *reply {
	return &reply{status: status, contentType: "text/html;charset=UTF-8", body: []byte("<html><head><title>Error</title></head><body>" + marks.Replace(message) + "</body></html>")}
}

var marks = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;")

// methodUnsupported is the answer of a servlet to a method that it does not have (jakarta.servlet HttpServlet).
func methodUnsupported(r *http.Request) *reply {
	return html(http.StatusMethodNotAllowed, "HTTP method "+r.Method+" is not supported by this URL")
}

// noMethod is the answer of the REST layer to a method that a path does not have: no document (RESTEasy NotAllowedException).
func noMethod() *reply { return &reply{status: http.StatusMethodNotAllowed} }
