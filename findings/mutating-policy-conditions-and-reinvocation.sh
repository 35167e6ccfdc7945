#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Package:   k8s.io/apiserver v0.37.2 (Kubernetes 1.37), its plugin MutatingAdmissionPolicy
# Guess:     a policy with reinvocationPolicy: IfNeeded is asked again once another policy has changed the object, so it does not matter
#            which of them the API server asks first: if its matchConditions hold of the object as it is in the end, it applies
# What is:   it is asked again only if its matchConditions held the first time, too. Which policy is first is chance, and drawn anew
#            whenever any policy changes: a policy whose condition waits for what another one sets applies for hours, and then does not.
#            The same question in the mutation's expression is asked again in each order
# Why here:  a namespace's label sets the RuntimeClass by one policy, and deploy/policies/runasuser.yaml sets runAsUser for pods of this
#            class. With the class in matchConditions, a test on a real cluster failed about once in five orders

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require (
	k8s.io/api v0.37.2
	k8s.io/apimachinery v0.37.2
	k8s.io/apiserver v0.37.2
	k8s.io/client-go v0.37.2
	k8s.io/component-base v0.37.2
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"time"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/initializer"
	"k8s.io/apiserver/pkg/admission/plugin/policy/generic"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/client-go/discovery"
	dynamic "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/openapi"
	"k8s.io/client-go/openapi/openapitest"
	"k8s.io/component-base/featuregate"
)

// client answers with the OpenAPI documents that client-go has of an API server.
type client struct{ kubernetes.Interface }
type documents struct{ discovery.DiscoveryInterfaces }

func (c client) Discovery() discovery.DiscoveryInterfaces { return documents{c.Interface.Discovery()} }
func (documents) OpenAPIV3() openapi.Client               { return openapitest.NewEmbeddedFileClient() }

func policy(name, condition, expression string) (*admissionregistration.MutatingAdmissionPolicy, *admissionregistration.MutatingAdmissionPolicyBinding) {
	exact, fail := admissionregistration.Exact, admissionregistration.Fail
	p := &admissionregistration.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.FailurePolicy = &fail
	p.Spec.ReinvocationPolicy = admissionregistration.IfNeededReinvocationPolicy
	p.Spec.MatchConstraints = &admissionregistration.MatchResources{
		MatchPolicy: &exact, NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
		ResourceRules: []admissionregistration.NamedRuleWithOperations{{RuleWithOperations: admissionregistration.RuleWithOperations{
			Operations: []admissionregistration.OperationType{"CREATE"},
			Rule:       admissionregistration.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}}}},
	}
	p.Spec.MatchConditions = []admissionregistration.MatchCondition{{Name: "condition", Expression: condition}}
	p.Spec.Mutations = []admissionregistration.Mutation{{PatchType: admissionregistration.PatchTypeApplyConfiguration,
		ApplyConfiguration: &admissionregistration.ApplyConfiguration{Expression: expression}}}
	b := &admissionregistration.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}}
	b.Spec.PolicyName = name
	return p, b
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	defer generic.SetPolicyRefreshIntervalForTests(time.Millisecond)()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := fake.NewClientset(&core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "default"}})
	const isOne = `'stage' in object.data && object.data['stage'] == 'one'`
	write := func(p *admissionregistration.MutatingAdmissionPolicy, b *admissionregistration.MutatingAdmissionPolicyBinding) {
		must(c.AdmissionregistrationV1().MutatingAdmissionPolicies().Create(ctx, p, metav1.CreateOptions{}))
		must(c.AdmissionregistrationV1().MutatingAdmissionPolicyBindings().Create(ctx, b, metav1.CreateOptions{}))
	}
	write(policy("sets-the-stage", `!('stage' in object.data)`, `Object{data: {"stage": "one"}}`))
	write(policy("asks-in-its-conditions", isOne, `Object{data: {"by-condition": "set"}}`))
	write(policy("asks-in-its-mutation", `true`, isOne+` ? Object{data: {"by-mutation": "set"}} : Object{}`))

	factory := informers.NewSharedInformerFactory(c, 0)
	var plugin *mutating.Plugin
	plugins := admission.NewPlugins()
	plugins.Register(mutating.PluginName, func(file io.Reader) (_ admission.Interface, err error) {
		plugin, err = mutating.NewPlugin(file)
		return plugin, err
	})
	mapper := meta.NewDefaultRESTMapper(nil)
	chain := must(plugins.NewFromPlugins([]string{mutating.PluginName}, noConfiguration{}, initializer.New(client{c}, dynamic.NewSimpleDynamicClient(scheme.Scheme), factory,
		authorizerfactory.NewAlwaysAllowAuthorizer(), gates(), compatibility.DefaultBuildEffectiveVersion(), ctx.Done(), mapper), admission.Decorators{}))
	plugin.SetRESTMapper(mapper)
	plugin.SetEnabled(true)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())

	objects := admission.NewObjectInterfacesFromScheme(scheme.Scheme)
	admit := func() map[string]string {
		// The types of the documents come a moment later.
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			o := &core.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c", Namespace: "default"}, Data: map[string]string{"its": "own"}}
			err := chain.(admission.MutationInterface).Admit(ctx, admission.NewAttributesRecord(o, nil, core.SchemeGroupVersion.WithKind("ConfigMap"),
				"default", "c", core.SchemeGroupVersion.WithResource("configmaps"), "", admission.Create, &metav1.CreateOptions{}, false, nil), objects)
			if err == nil && o.Data["stage"] == "one" {
				return o.Data
			}
			if time.Now().After(end) {
				panic(fmt.Sprint(err, o.Data))
			}
		}
	}
	const turns = 200
	condition, mutation := 0, 0
	for i := range turns {
		p := must(c.AdmissionregistrationV1().MutatingAdmissionPolicies().Get(ctx, "sets-the-stage", metav1.GetOptions{}))
		p.Annotations = map[string]string{"turn": fmt.Sprint(i)}
		p.ResourceVersion = fmt.Sprint(100 + i)
		must(c.AdmissionregistrationV1().MutatingAdmissionPolicies().Update(ctx, p, metav1.UpdateOptions{}))
		time.Sleep(20 * time.Millisecond)
		data := admit()
		condition += len(data["by-condition"]) / 3
		mutation += len(data["by-mutation"]) / 3
	}
	fmt.Printf("after %d changes of a policy, an object is what the others wait for:\nasked in matchConditions: applied %d times\nasked in the mutation: applied %d times\n", turns, condition, mutation)
	if 0 < condition && condition < turns && mutation == turns {
		fmt.Println("as described")
	}
}

type noConfiguration struct{}

func (noConfiguration) ConfigFor(string) (io.Reader, error) { return nil, nil }

func gates() featuregate.FeatureGate {
	g := featuregate.NewFeatureGate()
	if err := g.Add(map[featuregate.Feature]featuregate.FeatureSpec{"MutatingAdmissionPolicy": {Default: true}, "ManifestBasedAdmissionControlConfig": {}}); err != nil {
		panic(err)
	}
	return g
}
GO
go mod tidy >/dev/null 2>&1
seen=$(go run . 2>/dev/null)
printf '%s\n' "$seen"
[[ $seen == *'
as described' ]]
