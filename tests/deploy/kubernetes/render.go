// render prints a Helm chart's templates with its values, where helm itself is not to be had: the
// same template engine and function library (sprig), and of helm's own functions toJson alone.
//
//	render TEMPLATES_DIRECTORY <context.json
//
// The context is what templates see as `.`: Values, Release, Chart.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/Masterminds/sprig"
)

func run(directory string) error {
	var context map[string]interface{}
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	if err := decoder.Decode(&context); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		parsed, err := template.New(filepath.Base(path)).Funcs(sprig.TxtFuncMap()).
			Option("missingkey=error").Parse(string(text))
		if err != nil {
			return err
		}
		fmt.Println("---")
		if err := parsed.Execute(os.Stdout, context); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
