package config

import (
	"github.com/spf13/pflag"
)

// annotation marks the flags that AddFlags declared, so that a command's own --title stays its own.
const annotation = "skjold/config-key"

// AddFlags declares a flag for each named key: --limits-page-max for limits.page_max, with the first sentence of the
// key's manual as its usage. It panics if there is no such key.
func AddFlags(flags *pflag.FlagSet, names ...string) {
	defaults := Default()
	for _, name := range names {
		k, ok := keyNamed(name)
		if !ok {
			panic("config: no key " + name + " to declare a flag for")
		}
		f := flags.VarPF(&flagValue{key: k, text: k.def}, k.flag, "", usage(name))
		f.Annotations = map[string][]string{annotation: {name}}
		if _, isBool := k.in(defaults).Interface().(bool); isBool {
			f.NoOptDefVal = "true"
		}
	}
}

// boundFlags returns the flags that AddFlags declared, by key.
func boundFlags(flags *pflag.FlagSet) map[string]*pflag.Flag {
	bound := map[string]*pflag.Flag{}
	if flags == nil {
		return bound
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if name := f.Annotations[annotation]; len(name) == 1 {
			bound[name[0]] = f
		}
	})
	return bound
}

// flagValue is a flag's text, checked for its type as soon as it is given: a wrong one is wrong usage of the command.
type flagValue struct {
	key  key
	text string
}

func (v *flagValue) String() string { return v.text }

func (v *flagValue) Set(s string) error {
	if err := v.key.set(&Config{}, s); err != nil {
		return err
	}
	v.text = s
	return nil
}

// Type is what the help text calls the value. viper reads all but bool as text.
func (v *flagValue) Type() string {
	switch (v.key.in(&Config{})).Interface().(type) {
	case bool:
		return "bool"
	case string, SecretURL, Secret:
		return "text"
	case ByteSize:
		return "size"
	default:
		return "value"
	}
}
