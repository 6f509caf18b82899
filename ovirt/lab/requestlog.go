package lab

// keepLog is how many requests a lab remembers. What a client changes in an hour is less; what one reads in a day may be millions.
const keepLog = 100_000

// requestLog is the last requests, oldest first, in a ring.
type requestLog struct {
	ring []*LogEntry
	next int // number of the next entry, from 1
}

// add takes an entry in and gives it its number.
func (r *requestLog) add(entry LogEntry) *LogEntry {
	r.next++
	entry.N = r.next
	if len(r.ring) < keepLog {
		r.ring = append(r.ring, &entry)
	} else {
		r.ring[(r.next-1)%keepLog] = &entry
	}
	return &entry
}

// since returns what is remembered of the entries behind a number.
func (r *requestLog) since(n int) []LogEntry {
	oldest := r.next - len(r.ring)
	list := []LogEntry{}
	for i := max(n, oldest); i < r.next; i++ {
		list = append(list, *r.ring[i%keepLog])
	}
	return list
}

// Log returns the last 100,000 requests, oldest first.
func (l *Lab) Log() []LogEntry { return l.LogSince(0) }

// LogSince returns those of Log whose number is above n.
func (l *Lab) LogSince(n int) []LogEntry {
	l.lock()
	defer l.mu.Unlock()
	return l.log.since(n)
}
