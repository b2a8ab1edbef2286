// Where telemetry goes: a workspace, Application Insights on it that takes Entra tokens only, and the workbook.

import { roles } from 'roles.bicep'

param name string
param location string
param tags object
param principalId string

@description('Days for which logs, traces and metrics are kept.')
@minValue(30)
@maxValue(730)
param retentionDays int

resource workspace 'Microsoft.OperationalInsights/workspaces@2023-09-01' = {
  name: 'log-${name}'
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
    }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: 'appi-${name}'
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
    DisableIpMasking: false
    IngestionMode: 'LogAnalytics'
  }
}

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'closures')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Tenant Closure'
    category: 'workbook'
    sourceId: insights.id
    serializedData: loadTextContent('../workbook/closure.workbook.json')
  }
}

// Reason: host and program send telemetry as this identity, since the instrumentation key alone is refused.
resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, principalId, roles.monitoringMetricsPublisher)
  scope: insights
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
  }
}

output id string = insights.id
// No secret: without local authentication its key opens nothing.
output ingestion string = insights.properties.ConnectionString
output workspaceId string = workspace.id
