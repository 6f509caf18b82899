package lab

import "net/http"

// route sends a request of the API to what serves it. An engine does more than the lab: see unavailable.
func (c *call) route() *reply {
	answer := c.routed()
	if answer != nil && c.action == nil && !c.reading() && (answer.status == http.StatusNotFound || answer.status == http.StatusMethodNotAllowed) {
		if no := c.unavailable(); no != nil {
			return no
		}
	}
	return answer
}
