// The Durable Task Scheduler and its task hub, for the backend of that name.

import { roles } from 'roles.bicep'

param name string
param location string
param tags object
param principalId string
param taskHub string

@description('Reached by a private endpoint only.')
param private bool

resource scheduler 'Microsoft.DurableTask/schedulers@2026-02-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // An empty list lets nobody in. Every caller must hold a role; with private endpoints the public one is closed.
    ipAllowlist: [
      '0.0.0.0/0'
    ]
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
    sku: {
      name: 'Consumption'
    }
  }
}

resource hub 'Microsoft.DurableTask/schedulers/taskHubs@2026-02-01' = {
  parent: scheduler
  name: taskHub
  properties: {}
}

// Reason: the host starts, runs and wakes orchestrations in this one task hub.
resource work 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(hub.id, principalId, roles.durableTaskDataContributor)
  scope: hub
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.durableTaskDataContributor)
  }
}

output id string = scheduler.id
output endpoint string = scheduler.properties.endpoint
