package pod

import (
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// object returns a value of a kind to decode into, and what reads its name, its Pods' metadata and their spec afterwards.
func object(kind string) (any, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec)) {
	switch kind {
	case "Deployment":
		o := new(appsv1.Deployment)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "StatefulSet":
		o := new(appsv1.StatefulSet)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "DaemonSet":
		o := new(appsv1.DaemonSet)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "ReplicaSet":
		o := new(appsv1.ReplicaSet)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "ReplicationController":
		o := new(corev1.ReplicationController)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			if o.Spec.Template == nil {
				return o.ObjectMeta, metav1.ObjectMeta{}, corev1.PodSpec{}
			}
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "Job":
		o := new(batchv1.Job)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec
		}
	case "CronJob":
		o := new(batchv1.CronJob)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Spec.JobTemplate.Spec.Template.ObjectMeta, o.Spec.JobTemplate.Spec.Template.Spec
		}
	case "PodTemplate":
		o := new(corev1.PodTemplate)
		return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
			return o.ObjectMeta, o.Template.ObjectMeta, o.Template.Spec
		}
	}
	o := new(corev1.Pod)
	return o, func() (metav1.ObjectMeta, metav1.ObjectMeta, corev1.PodSpec) {
		return o.ObjectMeta, o.ObjectMeta, o.Spec
	}
}
