// Renders the chart with the engine that Helm is made of (Go's text/template and sprig), because Helm itself is in no package that could be had.
// What Helm adds and the chart uses stands here: include, required, toYaml, the merge of values, and .Release.
//
// usage: render CHART RELEASE [VALUES]
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type values = map[string]interface{}

func read(path string) values {
	text, err := os.ReadFile(path)
	fail(err)
	read := values{}
	fail(yaml.Unmarshal(text, &read))
	return read
}

// Laid over values as Helm does it: maps are merged, all else is replaced.
func over(below, above values) values {
	for key, value := range above {
		lower, both := below[key].(values)
		upper, maps := value.(values)
		if both && maps {
			below[key] = over(lower, upper)
		} else {
			below[key] = value
		}
	}
	return below
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func main() {
	chart, release := os.Args[1], os.Args[2]
	about := read(filepath.Join(chart, "Chart.yaml"))
	given := read(filepath.Join(chart, "values.yaml"))
	if len(os.Args) > 3 {
		given = over(given, read(os.Args[3]))
	}
	all := template.New("chart").Option("missingkey=error")
	all.Funcs(sprig.TxtFuncMap()).Funcs(template.FuncMap{
		"include": func(name string, data interface{}) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
		"required": func(why string, value interface{}) (interface{}, error) {
			if value == nil || value == "" {
				return nil, errors.New(why)
			}
			return value, nil
		},
		"toYaml": func(value interface{}) (string, error) {
			text, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(text), "\n"), err
		},
	})
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	fail(err)
	sort.Strings(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		fail(err)
		_, err = all.New(filepath.Base(file)).Parse(string(text))
		fail(err)
	}
	upper := values{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]}
	data := values{
		"Values":  given,
		"Chart":   upper,
		"Release": values{"Name": release, "Namespace": "default", "Service": "Helm"},
	}
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "_") {
			continue
		}
		var out bytes.Buffer
		fail(all.ExecuteTemplate(&out, name, data))
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(out.String()) != "" {
			fmt.Printf("---\n# Source: %s\n%s\n", name, out.String())
		}
	}
}
