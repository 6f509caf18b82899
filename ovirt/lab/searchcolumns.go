package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// test makes a test for a value of the column, and says what comes of no value: texts that differ from something include those
// that are not there (ovirt-engine BaseConditionFieldAutoCompleter.buildConditionSql).
func (k columnOf) test(c *call, relation, value string) (test func(string) bool, null bool, r *refusal) {
	equal := relation == "="
	null = relation == "!="
	fold := !c.flagParam("case_sensitive")
	isNull := func() (func(string) bool, bool, *refusal) { return func(string) bool { return !equal }, equal, nil }
	switch k.kind {
	case columnText:
		like := pattern(value, fold)
		return func(s string) bool { return like(s) == equal }, null, nil
	case columnApps:
		like := pattern("*"+value+"*", fold)
		return func(s string) bool { return like(s) == equal }, null, nil
	case columnList: // the value stands on the left side of LIKE: a * in it is a character
		if fold {
			return func(s string) bool { return strings.EqualFold(s, value) == equal }, false, nil
		}
		return func(s string) bool { return (s == value) == equal }, false, nil
	case columnExact, columnNullable:
		if strings.EqualFold(value, "null") || value == "" {
			return isNull()
		}
		return func(s string) bool { return (s == value) == equal }, null, nil
	case columnUUID:
		switch {
		case strings.EqualFold(value, "null") || value == "":
			return isNull()
		case !isUUID(value):
			return nil, false, badSQL("invalid input syntax for type uuid: %q", value)
		}
		return func(s string) bool { return strings.EqualFold(s, value) == equal }, null, nil
	case columnLong:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return nil, false, badSQL("invalid input syntax for type bigint: %q", value)
		}
	case columnDate:
		day := parseSearchDate(value, c.lab.now).day
		return func(s string) bool {
			t, err := time.Parse(time.RFC3339Nano, s)
			switch {
			case err != nil:
				return false
			case relation == "<":
				return t.Before(day)
			case relation == ">":
				return t.After(day)
			}
			return !t.Before(day) && !t.After(day.AddDate(0, 0, 1))
		}, false, nil
	case columnSpan:
		d, _ := parseSearchSpan(value)
		value = strconv.FormatInt(int64(d/time.Second), 10)
	case columnEnum, columnBool:
		value = strings.ToLower(value)
	}
	return func(s string) bool {
		n := k.compare(s, value)
		switch relation {
		case "=":
			return n == 0
		case "!=":
			return n != 0
		case "<":
			return n < 0
		case ">":
			return n > 0
		case "<=":
			return n <= 0
		}
		return n >= 0
	}, null, nil
}

// compare orders two values of the column.
func (k columnOf) compare(a, b string) int {
	switch k.kind {
	case columnInt, columnDecimal, columnLong, columnSpan:
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		return cmp.Compare(x, y)
	case columnEnum:
		return k.number(a) - k.number(b)
	case columnDate:
		x, _ := time.Parse(time.RFC3339Nano, a)
		y, _ := time.Parse(time.RFC3339Nano, b)
		return x.Compare(y)
	}
	return cmp.Compare(strings.ToLower(a), strings.ToLower(b))
}

// number is the place of a value in its enumeration; the API writes some of them with other underscores.
func (k columnOf) number(value string) int {
	plain := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "") }
	want := plain(value)
	if want == "migrating" {
		want = "migratingfrom"
	}
	return slices.IndexFunc(k.values, func(v string) bool { return plain(v) == want })
}
