package config

import (
	"errors"
	"slices"
	"strings"
)

const variablePrefix = "SKJOLD_"

// otherVariables belong to the commands, not to the configuration: the data directory, and what a client command
// needs to reach a node.
var otherVariables = []string{"SKJOLD_DATA", "SKJOLD_URL", "SKJOLD_USER", "SKJOLD_PASSWORD", "SKJOLD_TOKEN"}

// otherPrefixes begin variables that are not the node's: those of the tests, and those that Kubernetes puts into every
// container beside a service called skjold.
var otherPrefixes = []string{"SKJOLD_TEST_", "SKJOLD_SERVICE_HOST", "SKJOLD_SERVICE_PORT", "SKJOLD_PORT_"}

// readEnv collects the values of SKJOLD_ variables by full key. Every such variable must exist, because a mistyped one
// would leave a default in force that the operator believes changed. An empty variable is as good as an unset one.
func readEnv(environ []string) (map[string]any, error) {
	values := map[string]any{}
	variables := make([]string, len(keys))
	for i, k := range keys {
		variables[i] = k.variable
	}
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) || value == "" || notOurs(name, value) {
			continue
		}
		i := slices.Index(variables, name)
		if i < 0 {
			problems = append(problems, unknown(name, "environment", "variable", nearestVariable(name)))
			continue
		}
		values[keys[i].name] = value
	}
	return values, errors.Join(problems...)
}

func notOurs(name, value string) bool {
	return slices.Contains(otherVariables, name) ||
		slices.ContainsFunc(otherPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		name == "SKJOLD_PORT" && strings.Contains(value, "://")
}

// nearestVariable compares without the prefix, which would make every two variables alike.
func nearestVariable(name string) string {
	short := make([]string, len(keys))
	for i, k := range keys {
		short[i] = strings.TrimPrefix(k.variable, variablePrefix)
	}
	if found := nearest(strings.TrimPrefix(name, variablePrefix), short); found != "" {
		return variablePrefix + found
	}
	return ""
}
