package report

import (
	"reflect"
	"time"
)

// redactStrings passes every text of the model through redact, before anything is escaped for a page: there a secret with a character
// like & would not be found any more.
func redactStrings(m *Model, redact func(string) string) {
	if redact != nil {
		redactValue(reflect.ValueOf(m).Elem(), redact)
	}
}

func redactValue(v reflect.Value, redact func(string) string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(redact(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			redactValue(v.Elem(), redact)
		}
	case reflect.Slice:
		for i := range v.Len() {
			redactValue(v.Index(i), redact)
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			redactValue(v.Field(i), redact)
		}
	}
}
