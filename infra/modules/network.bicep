// A network of its own: one subnet that the app goes out through, one for private endpoints, and the names they answer to.

param name string
param location string
param tags object

type service = {
  name: string
  id: string
  group: string
  zone: string
}

@description('What is reached privately: which part of it (blob, queue, table, vault, scheduler) and the DNS zone of its name.')
param services service[]

var zones = union([], map(services, each => each.zone))

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.42.0.0/24'
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.42.0.0/25'
          delegations: [
            {
              name: 'flex'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.42.0.128/26'
        }
      }
    ]
  }
}

resource appSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' existing = {
  parent: network
  name: 'app'
}

resource endpointsSubnet 'Microsoft.Network/virtualNetworks/subnets@2024-05-01' existing = {
  parent: network
  name: 'endpoints'
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for each in zones: {
    name: each
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (each, index) in zones: {
    parent: zone[index]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = [
  for each in services: {
    name: each.name
    location: location
    tags: tags
    properties: {
      subnet: {
        id: endpointsSubnet.id
      }
      privateLinkServiceConnections: [
        {
          name: each.group
          properties: {
            groupIds: [
              each.group
            ]
            privateLinkServiceId: each.id
          }
        }
      ]
    }
  }
]

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = [
  for (each, index) in services: {
    parent: endpoint[index]
    name: 'default'
    dependsOn: [
      zone
    ]
    properties: {
      privateDnsZoneConfigs: [
        {
          name: each.group
          properties: {
            privateDnsZoneId: resourceId('Microsoft.Network/privateDnsZones', each.zone)
          }
        }
      ]
    }
  }
]

output appSubnetId string = appSubnet.id
